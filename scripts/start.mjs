// `npm start`: sets up, builds, and opens the sample kernels in VS Code with the extension running.
//
//   npm start                  desktop VS Code where `code` is on PATH, else a VS Code in the browser
//   npm start -- --browser     in the browser in any case; stop it with Ctrl-C
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import {
  ensureBuild,
  ensureDependencies,
  ensureWorkbench,
  findProgram,
  root,
  run,
  runMain,
  say,
  SetupError,
} from './setup.mjs';
import { remoteUri, softwareGpuFlags, startWorkbench } from './workbench.mjs';

const folder = join(root, 'shaders');
const kernel = join(folder, 'lightning/lightning2.wgsl');

/** Electron offers WebGPU by itself everywhere but on Linux; an own profile makes it a new process that heeds the flags. */
const linuxFlags = [
  '--enable-unsafe-webgpu',
  '--enable-features=Vulkan',
  `--user-data-dir=${join(root, '.build/desktop')}`,
  ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
];

function startDesktop(code) {
  say(`opening ${kernel} in desktop VS Code`);
  const args = ['--new-window', `--extensionDevelopmentPath=${root}`, folder, '--goto', `${kernel}:1`];
  const flags = process.platform === 'linux' ? linuxFlags : [];
  const { status } = spawnSync(code, [...args, ...flags], { stdio: 'inherit', shell: process.platform === 'win32' });
  if (status !== 0) throw new SetupError('VS Code did not start. In the browser instead:\n  npm start -- --browser');
}

async function startBrowser() {
  ensureWorkbench();
  run(process.execPath, ['scripts/package.mjs'], { quiet: true });
  const vsix = join(root, '.build/tilescope.vsix');
  const workbench = await startWorkbench({ home: join(root, '.build/workbench'), vsix });
  const url = workbench.url(folder, [['openFile', remoteUri(workbench.origin, kernel)]]);
  process.stdout.write(
    `\nVS Code with Tilescope is running. Open this in Chrome, Edge or Chromium:\n\n  ${url}\n\n` +
      'A browser on Linux, or one without a GPU, needs to be started with WebGPU switched on:\n\n' +
      `  chromium --enable-unsafe-webgpu --enable-features=Vulkan    (a GPU)\n` +
      `  chromium ${softwareGpuFlags.join(' ')}    (none)\n\n` +
      `What you edit are the files in ${folder}. Stop with Ctrl-C.\n`,
  );
  await new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, resolve);
    workbench.server.once('exit', resolve);
  });
  const endedByItself = workbench.server.exitCode !== null;
  workbench.stop();
  if (endedByItself) throw new SetupError('The VS Code server ended by itself. Start it again:\n  npm start');
  say('stopped');
}

await runMain(async () => {
  ensureDependencies();
  ensureBuild();
  // In a terminal of a remote window, `code` is another program, which cannot start a window of its own.
  const code = process.env.VSCODE_IPC_HOOK_CLI ? null : findProgram('code');
  if (code === null || process.argv.includes('--browser')) await startBrowser();
  else startDesktop(code);
});
