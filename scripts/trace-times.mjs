// How long the default trace of each kernel that comes along takes, from the command to its end:
//
//   node scripts/trace-times.mjs            all of shaders/
//   node scripts/trace-times.mjs delta mla  those whose names contain one of these
//
// The better of two runs, wall clock, as a table with the slowest first. Ends with 1 where one is over the promise.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ensureBuild, ensureDependencies, root, runMain, SetupError } from './setup.mjs';

const promisedSeconds = 2;
const runs = 2;

function kernels(wanted) {
  const files = readdirSync(join(root, 'shaders'), { recursive: true }).filter((file) => file.endsWith('.wgsl'));
  const names = files.map((file) => file.replaceAll('\\', '/').replace(/\.wgsl$/, '')).sort();
  return names.filter((name) => wanted.length === 0 || wanted.some((part) => name.includes(part)));
}

function secondsOf(name) {
  const started = Date.now();
  const { status, stderr } = spawnSync(
    process.execPath,
    [join(root, 'dist/cli.js'), 'trace', join(root, 'shaders', `${name}.wgsl`)],
    { stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' },
  );
  if (status !== 0) throw new SetupError(`The trace of ${name} failed:\n${stderr}`);
  return (Date.now() - started) / 1000;
}

await runMain(() => {
  ensureDependencies();
  ensureBuild();
  const names = kernels(process.argv.slice(2));
  if (names.length === 0)
    throw new SetupError(`No kernel in shaders/ has "${process.argv.slice(2).join('" or "')}" in its name.`);
  const times = names.map((name) => ({
    name,
    seconds: Math.min(...Array.from({ length: runs }, () => secondsOf(name))),
  }));
  times.sort((a, b) => b.seconds - a.seconds);
  const width = Math.max(...names.map((name) => name.length)) + 2;
  process.stdout.write(`| ${'kernel'.padEnd(width)} | time   |\n| ${'-'.repeat(width)} | ------ |\n`);
  for (const { name, seconds } of times) {
    process.stdout.write(`| ${`\`${name}\``.padEnd(width)} | ${seconds.toFixed(2)} s |\n`);
  }
  return times.some(({ seconds }) => seconds > promisedSeconds) ? 1 : 0;
});
