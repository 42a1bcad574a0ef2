// Packs dist/ into .build/tilescope.vsix, and checks what is in it and how heavy it is.
//
//   npm run package               fails where the files differ from test/e2e/vsix-files.txt
//   npm run package -- --update   writes that list anew; read its diff before you commit it
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureBuild, ensureDependencies, root, runMain, say, SetupError } from './setup.mjs';

const vsixPath = join(root, '.build/tilescope.vsix');
const listPath = join(root, 'test/e2e/vsix-files.txt');
const maxBytes = 5_000_000;

function checkFiles(files) {
  const wanted = existsSync(listPath) ? readFileSync(listPath, 'utf8').trim().split('\n') : [];
  const added = files.filter((file) => !wanted.includes(file)).map((file) => `  + ${file}`);
  const gone = wanted.filter((file) => !files.includes(file)).map((file) => `  - ${file}`);
  if (added.length + gone.length === 0) return;
  const changes = [...added, ...gone].join('\n');
  throw new SetupError(
    `The files in the VSIX are not those of test/e2e/vsix-files.txt:\n${changes}\n` +
      'If that is meant, type:\n  npm run package -- --update',
  );
}

/** Packs the extension and returns the names of its files, in order. */
async function pack() {
  const { createVSIX, listFiles, PackageManager } = await import('@vscode/vsce');
  mkdirSync(join(root, '.build'), { recursive: true });
  try {
    await createVSIX({
      cwd: root,
      packagePath: vsixPath,
      dependencies: false,
      allowMissingRepository: true,
      rewriteRelativeLinks: false,
    });
    return (await listFiles({ cwd: root, packageManager: PackageManager.None })).sort();
  } catch (error) {
    throw new SetupError(`vsce could not pack the extension: ${error.message}`);
  }
}

await runMain(async () => {
  ensureDependencies();
  ensureBuild();
  const files = await pack();
  if (process.argv.includes('--update')) writeFileSync(listPath, `${files.join('\n')}\n`);
  checkFiles(files);
  const bytes = statSync(vsixPath).size;
  if (bytes > maxBytes) throw new SetupError(`The VSIX weighs ${bytes} bytes, more than the ${maxBytes} allowed.`);
  say(`.build/tilescope.vsix: ${files.length} files, ${(bytes / 1000).toFixed(0)} KB`);
});
