// Builds everything Tilescope ships into dist/, and its extension-host tests into .build/.
//
//   node esbuild.mjs            minified, with size budgets
//   node esbuild.mjs --dev      readable, with source maps, no budgets
//   node esbuild.mjs --watch    --dev, again after every change
import { build, context } from 'esbuild';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(fileURLToPath(import.meta.url));
const watch = process.argv.includes('--watch');
const development = watch || process.argv.includes('--dev');

/**
 * One line a bundle. `kilobytes` is its budget (1000 bytes, minified): somewhat above what it weighs today, so that
 * a library added without thought is noticed. Raise it in the commit that needs it, and say there what for.
 */
const bundles = [
  {
    entry: 'src/extension/main.ts',
    out: 'dist/extension.cjs',
    kilobytes: 580,
    options: { format: 'cjs', platform: 'node', target: 'node20', external: ['vscode'] },
  },
  {
    entry: 'src/extension/main.ts',
    // CommonJS, but named .js: VS Code's web host appends that to any other ending.
    out: 'dist/extension.web.js',
    kilobytes: 560,
    options: { format: 'cjs', platform: 'browser', target: 'es2022', external: ['vscode'] },
  },
  {
    entry: 'src/webview/main.ts',
    out: 'dist/webview.js',
    kilobytes: 960,
    options: { format: 'iife', platform: 'browser', target: 'es2022' },
  },
  {
    // The page fetches it as text and starts workers from it.
    entry: 'src/worker/main.ts',
    out: 'dist/simulator.js',
    kilobytes: 800,
    options: { format: 'iife', platform: 'browser', target: 'es2022' },
  },
  {
    entry: 'src/cli/main.ts',
    out: 'dist/cli.js',
    kilobytes: 600,
    options: { format: 'esm', platform: 'node', target: 'node20', external: ['webgpu'], banner: requireBanner() },
  },
  {
    entry: 'src/native/main.ts',
    out: 'dist/native.js',
    kilobytes: 840,
    options: { format: 'esm', platform: 'node', target: 'node20', external: ['webgpu'], banner: requireBanner() },
  },
  {
    entry: 'test/extension/suite.ts',
    out: '.build/extension-tests/suite.cjs',
    kilobytes: null,
    options: { format: 'cjs', platform: 'node', target: 'node20', external: ['vscode'] },
  },
];

/** Files that are served as they are. The icon font lies beside its style sheet, which names it relatively. */
const copies = [
  ['media/lab.css', 'dist/lab.css'],
  ['node_modules/@vscode/codicons/dist/codicon.css', 'dist/codicon.css'],
  ['node_modules/@vscode/codicons/dist/codicon.ttf', 'dist/codicon.ttf'],
];

/** Lets CommonJS packages inside an ESM bundle call `require` for Node's own modules. */
function requireBanner() {
  return {
    js: "import { createRequire as tilescopeRequire } from 'node:module'; const require = tilescopeRequire(import.meta.url);",
  };
}

function optionsOf(bundle) {
  return {
    absWorkingDir: root,
    entryPoints: [bundle.entry],
    outfile: bundle.out,
    bundle: true,
    metafile: true,
    minify: !development,
    sourcemap: development ? 'linked' : false,
    legalComments: 'none',
    logLevel: 'warning',
    ...bundle.options,
  };
}

/** The packages (or layers of src) that weigh most in a bundle, largest first, in bytes. */
function heaviest(output) {
  const weights = new Map();
  for (const [path, { bytesInOutput }] of Object.entries(output.inputs)) {
    const name = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? path.split('/').slice(0, 2).join('/');
    weights.set(name, (weights.get(name) ?? 0) + bytesInOutput);
  }
  return [...weights].sort((a, b) => b[1] - a[1]).slice(0, 6);
}

/** Prints the size table; returns the bundles that are over their budget. */
function report(results) {
  const over = [];
  for (const { bundle, metafile } of results) {
    const output = metafile.outputs[bundle.out];
    const size = output.bytes / 1000;
    const budget = bundle.kilobytes === null ? '' : ` of ${bundle.kilobytes}`;
    console.log(`${bundle.out.padEnd(34)} ${size.toFixed(1).padStart(7)}${budget} KB`);
    if (bundle.kilobytes !== null && size > bundle.kilobytes) over.push({ bundle, output, size });
  }
  return over;
}

function copyAssets() {
  for (const [from, to] of copies) {
    mkdirSync(dirname(to), { recursive: true });
    cpSync(from, to);
  }
}

process.chdir(root);
if (watch) {
  copyAssets();
  for (const bundle of bundles) await (await context(optionsOf(bundle))).watch();
  console.log('Watching. Stop with Ctrl-C.');
} else {
  const results = await Promise.all(
    bundles.map(async (bundle) => ({ bundle, metafile: (await build(optionsOf(bundle))).metafile })),
  );
  copyAssets();
  mkdirSync('.build', { recursive: true });
  writeFileSync('.build/metafile.json', JSON.stringify(results.map(({ metafile }) => metafile.outputs)));
  const over = development ? [] : report(results);
  for (const { bundle, output, size } of over) {
    console.error(
      `\n${bundle.out} is ${size.toFixed(1)} KB; its budget in esbuild.mjs is ${bundle.kilobytes} KB. Heaviest:`,
    );
    for (const [name, bytes] of heaviest(output))
      console.error(`  ${(bytes / 1000).toFixed(1).padStart(7)} KB  ${name}`);
  }
  if (over.length > 0) process.exitCode = 1;
}
