// `npm test`: sets up what is missing and runs every check and every suite.
//
//   npm test                  all of it
//   npm test -- lint gpu      only these
//
// Ends with a table and one plain line: `N passed, N failed`. A check (types, lint, ...) counts as one.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  ensureBrowser,
  ensureDependencies,
  ensureVulkanLoader,
  ensureWorkbench,
  root,
  runMain,
  say,
  SetupError,
} from './setup.mjs';

const bin = (path) => join(root, 'node_modules', path);
/** Checks of the sources. They need nothing of each other and run side by side. */
const sourceChecks = [
  { name: 'types', script: bin('typescript/bin/tsc'), args: ['-b'] },
  { name: 'lint', script: bin('eslint/bin/eslint.js'), args: ['.', '--max-warnings=0'] },
  { name: 'format', script: bin('prettier/bin/prettier.cjs'), args: ['--check', '--log-level', 'warn', '.'] },
];
/** Checks of what is made of them, one after another. */
const productChecks = [
  { name: 'build', script: 'esbuild.mjs', args: [] },
  { name: 'package', script: 'scripts/package.mjs', args: [] },
];
/** The projects of vitest.config.ts, those that need least first. */
const suites = ['core', 'kernels', 'gpu', 'webview', 'e2e'];

function runNode(script, args, env = {}) {
  const started = Date.now();
  const { status } = spawnSync(process.execPath, [script, ...args], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  return { ok: status === 0, seconds: (Date.now() - started) / 1000 };
}

/** Runs a check to its end, and then shows what it had to say. */
async function runCheck({ name, script, args }) {
  say(`${name}: ${script.replace(`${root}/`, '')} ${args.join(' ')}`);
  const started = Date.now();
  const child = spawn(process.execPath, [script, ...args], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  let words = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (words += chunk));
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (words !== '') process.stdout.write(words);
  const seconds = (Date.now() - started) / 1000;
  return { name, passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0, seconds };
}

function runSuite(name, env) {
  say(`${name}: vitest --project ${name}`);
  const report = join(root, `.build/test/${name}.json`);
  mkdirSync(dirname(report), { recursive: true });
  rmSync(report, { force: true });
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const { ok, seconds } = runNode(bin('vitest/vitest.mjs'), ['run', '--project', name, ...reporters], env);
  const counts = existsSync(report) ? countTests(JSON.parse(readFileSync(report, 'utf8'))) : null;
  if (counts === null) return { name, passed: 0, failed: 1, skipped: 0, seconds };
  // Vitest also fails for what no single test stands for: an unhandled rejection, or a suite without tests.
  return { name, ...counts, failed: ok ? counts.failed : Math.max(counts.failed, 1), seconds };
}

/** A file that failed before its first test counts as one failed test. */
function countTests({ numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults }) {
  const broken = testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && assertionResults.every((test) => test.status !== 'failed'),
  );
  return {
    passed: numPassedTests,
    failed: numFailedTests + broken.length,
    skipped: numPendingTests + numTodoTests,
  };
}

function printSummary(results) {
  console.log('\nsuite        passed  failed  skipped  seconds');
  for (const { name, passed, failed, skipped, seconds } of results) {
    const cells = [String(passed).padStart(7), String(failed).padStart(8), String(skipped).padStart(9)];
    console.log(`${name.padEnd(12)}${cells.join('')}${seconds.toFixed(1).padStart(9)}`);
  }
  const total = (key) => results.reduce((sum, result) => sum + result[key], 0);
  if (total('skipped') > 0) console.log(`\n${total('skipped')} skipped: see above which and why.`);
  console.log(`\n${total('passed')} passed, ${total('failed')} failed`);
  return total('failed') === 0 ? 0 : 1;
}

await runMain(async () => {
  const names = process.argv.slice(2);
  const known = [...sourceChecks, ...productChecks].map(({ name }) => name).concat(suites);
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0)
    throw new SetupError(`There is no suite ${unknown.join(', ')}. There are: ${known.join(', ')}.`);
  const wanted = (name) => names.length === 0 || names.includes(name);

  ensureDependencies();
  const env = {};
  // Chromium brings the software GPU that the native suites run on, too.
  if (['kernels', 'gpu', 'webview', 'e2e'].some(wanted)) {
    env.CHROMIUM_PATH = ensureBrowser();
    ensureVulkanLoader();
  }
  if (wanted('e2e')) ensureWorkbench();
  const results = [];
  results.push(...(await Promise.all(sourceChecks.filter(({ name }) => wanted(name)).map(runCheck))));
  for (const check of productChecks) if (wanted(check.name)) results.push(await runCheck(check));
  for (const suite of suites) if (wanted(suite)) results.push(runSuite(suite, env));
  if (wanted('e2e')) say('not run here: the extension-host suite in desktop VS Code (node scripts/test-electron.mjs)');
  return printSummary(results);
});
