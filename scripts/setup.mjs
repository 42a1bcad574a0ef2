// What the project needs on a machine that has only Node and npm. Each function looks first, says what it is about to
// do, does it, and otherwise throws a SetupError that ends with the exact command to type. No dependencies of its own:
// it runs before they are there. All chatter goes to stderr, so that a program's own output stays clean.
import { spawnSync } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The project's folder. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** The VS Code that the browser workbench is made of: the newest release of this package that runs on Node 20. */
const workbenchPackage = 'code-server@4.100.3';

/** Something is missing that could not be set up; the message says what to type. */
export class SetupError extends Error {
  name = 'SetupError';
}

/** Prints a line about what is being done. */
export function say(text) {
  process.stderr.write(`tilescope: ${text}\n`);
}

/** Runs `main` and ends the process: with its exit code, or 1 and a plain message where set-up failed. */
export async function runMain(main) {
  try {
    const [major] = process.versions.node.split('.');
    if (Number(major) < 20) {
      throw new SetupError(
        `Node ${process.versions.node} is too old; Tilescope needs 20 or newer (https://nodejs.org).`,
      );
    }
    process.exitCode = (await main()) ?? 0;
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    say(error.message);
    process.exitCode = 1;
  }
}

/**
 * Runs a command to its end; its output goes to stderr, and is held back until it fails where `quiet` is set.
 * Throws a SetupError naming the command when it does not succeed.
 */
export function run(command, args, { cwd = root, env = {}, quiet = false } = {}) {
  const result = spawnSync(command, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: quiet ? ['ignore', 'pipe', 'pipe'] : ['ignore', process.stderr, process.stderr],
    // npm is a batch file there.
    shell: process.platform === 'win32',
  });
  if (result.status === 0) return;
  if (quiet) process.stderr.write(`${result.stdout ?? ''}${result.stderr ?? ''}`);
  const reason = result.error ? result.error.message : `exit code ${result.status ?? result.signal}`;
  throw new SetupError(`This failed (${reason}). Try it by hand:\n  cd ${cwd} && ${command} ${args.join(' ')}`);
}

/** The path of a program on PATH, or null. */
export function findProgram(name) {
  const extensions = process.platform === 'win32' ? ['.exe', '.cmd'] : [''];
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    for (const extension of extensions) {
      const path = join(folder, name + extension);
      try {
        accessSync(path, constants.X_OK);
        return path;
      } catch {
        // Not in this folder.
      }
    }
  }
  return null;
}

/** Packages in node_modules: installed when they are not exactly what package-lock.json says. */
export function ensureDependencies() {
  if (dependenciesMatchLock()) return;
  say('installing dependencies (npm ci)');
  run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { quiet: true });
}

/** npm lists what it installed in a lock file of its own; packages for other platforms are missing there. */
function dependenciesMatchLock() {
  const installedPath = join(root, 'node_modules/.package-lock.json');
  if (!existsSync(installedPath)) return false;
  const installed = JSON.parse(readFileSync(installedPath, 'utf8')).packages;
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  return Object.entries(wanted).every(
    ([path, { version, optional }]) => path === '' || installed[path]?.version === version || optional === true,
  );
}

/** dist/: built when a source is newer than the last build. */
export function ensureBuild() {
  const built = join(root, '.build/metafile.json');
  const inputs = ['src', 'media', 'test/extension', 'esbuild.mjs', 'package-lock.json'];
  const newest = Math.max(...inputs.map((path) => newestChange(join(root, path))));
  if (existsSync(built) && existsSync(join(root, 'dist')) && statSync(built).mtimeMs >= newest) return;
  say('building (node esbuild.mjs)');
  run(process.execPath, ['esbuild.mjs'], { quiet: true });
}

/** Milliseconds since 1970 of the latest change to a file, or to anything in a folder. */
function newestChange(path) {
  if (!existsSync(path)) return 0;
  const stats = statSync(path);
  if (!stats.isDirectory()) return stats.mtimeMs;
  return readdirSync(path).reduce((latest, name) => Math.max(latest, newestChange(join(path, name))), stats.mtimeMs);
}

/** The path of a Chromium that starts: CHROMIUM_PATH, one that is installed, or Debian's package, installed now. */
export function ensureBrowser() {
  const chosen = process.env.CHROMIUM_PATH;
  if (chosen) {
    if (startsUp(chosen)) return chosen;
    throw new SetupError(`CHROMIUM_PATH is ${chosen}, but "${chosen} --version" does not run. Set it to a Chromium.`);
  }
  const found = findBrowser();
  if (found !== null) return found;
  installDebianPackages(['chromium']);
  const installed = findBrowser();
  if (installed !== null) return installed;
  throw new SetupError(
    'apt-get has installed its "chromium" package, but it holds no browser (on Ubuntu it only points to a snap).\n' +
      'Install one and say where it is:\n  sudo snap install chromium\n  export CHROMIUM_PATH=/snap/bin/chromium',
  );
}

function findBrowser() {
  const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
  const paths = [...names.map(findProgram), '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'];
  return paths.find((path) => path !== null && existsSync(path) && startsUp(path)) ?? null;
}

function startsUp(path) {
  return spawnSync(path, ['--version'], { stdio: 'ignore' }).status === 0;
}

/** The Vulkan loader, by which the native lab finds any GPU on Linux, a software one included. */
export function ensureVulkanLoader() {
  if (process.platform !== 'linux') return;
  const folders = [
    '/usr/lib/x86_64-linux-gnu',
    '/usr/lib/aarch64-linux-gnu',
    '/usr/lib64',
    '/usr/lib',
    '/usr/local/lib',
  ];
  if (folders.some((folder) => existsSync(join(folder, 'libvulkan.so.1')))) return;
  installDebianPackages(['libvulkan1']);
}

/** Installs packages by apt-get where this user may, else throws the command to type. */
function installDebianPackages(names) {
  const install = ['install', '-y', '--no-install-recommends', ...names];
  const byHand = `sudo apt-get update && sudo apt-get ${install.join(' ')}`;
  if (findProgram('apt-get') === null) {
    throw new SetupError(
      `${names.join(', ')} is missing and there is no apt-get to install it. Install it by your system's own means` +
        (names.includes('chromium') ? ', then: export CHROMIUM_PATH=/path/to/chromium' : '.'),
    );
  }
  const prefix = process.getuid() === 0 ? [] : ['sudo', '-n'];
  if (prefix.length > 0 && spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status !== 0) {
    throw new SetupError(`${names.join(', ')} is missing, and installing it takes a password. Type:\n  ${byHand}`);
  }
  say(`installing ${names.join(', ')} (apt-get)`);
  for (const args of [['update'], install]) {
    const [command, ...rest] = [...prefix, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', ...args];
    run(command, rest, { quiet: true });
  }
}

/**
 * The entry file of a VS Code server with its browser workbench, kept in .tools/ (250 MB, once).
 * Only its `lib/vscode` is used and only that folder's packages are installed; nothing has to be compiled.
 */
export function ensureWorkbench() {
  const home = join(root, '.tools', workbenchPackage.replace('@', '-'));
  const entry = join(home, 'lib/vscode/out/server-main.js');
  if (existsSync(entry)) return entry;
  say(`fetching the browser workbench (npm package ${workbenchPackage})`);
  const partial = `${home}.partial`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  run('npm', ['pack', workbenchPackage, '--pack-destination', partial], { quiet: true });
  const [archive] = readdirSync(partial);
  run('tar', ['-xzf', archive, '--strip-components=1'], { cwd: partial, quiet: true });
  rmSync(join(partial, archive));
  const folder = join(partial, 'lib/vscode');
  run('npm', ['install', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: folder, quiet: true });
  renameSync(partial, home);
  return entry;
}
