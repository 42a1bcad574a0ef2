// A real VS Code in a browser tab: its own server from .tools/, with the packaged extension installed.
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ensureWorkbench, run, SetupError } from './setup.mjs';

/** How long the server may take to say where it listens. */
const startTimeoutMs = 60_000;

/** What Chromium needs so that WebGPU works without a GPU. */
export const softwareGpuFlags = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'];

/**
 * Starts a VS Code server on a free port of this machine.
 *
 * `home` keeps its data, `vsix` is installed into it by VS Code itself (null: none), `env` is added to its environment
 * and so to the extension host's. `stop` ends it with all it has started.
 */
export async function startWorkbench({ home, vsix = null, env = {}, port = 0 }) {
  const entry = ensureWorkbench();
  const places = ['--server-data-dir', join(home, 'data'), '--extensions-dir', join(home, 'extensions')];
  mkdirSync(join(home, 'extensions'), { recursive: true });
  if (vsix !== null) run(process.execPath, [entry, ...places, '--install-extension', vsix, '--force'], { quiet: true });
  const server = spawn(
    process.execPath,
    [
      entry,
      ...places,
      ...['--host', '127.0.0.1', '--port', String(port)],
      ...['--without-connection-token', '--accept-server-license-terms', '--disable-workspace-trust'],
      ...['--telemetry-level', 'off'],
    ],
    { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'], detached: process.platform !== 'win32' },
  );
  const stop = () => stopTree(server);
  process.once('exit', stop);
  const origin = await listeningAt(server);
  return { origin, url: (folder, payload = []) => workbenchUrl(origin, folder, payload), server, stop };
}

/** Ends a detached process and everything it started. */
function stopTree(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  try {
    if (process.platform === 'win32') child.kill();
    else process.kill(-child.pid, 'SIGTERM');
  } catch {
    // It ended in the meantime.
  }
}

/** Waits for the server's own line about its address, e.g. `http://127.0.0.1:41233`. */
function listeningAt(server) {
  return new Promise((resolve, reject) => {
    let output = '';
    const fail = (why) => {
      clearTimeout(timer);
      stopTree(server);
      reject(new SetupError(`The VS Code server ${why}. It said:\n${output}`));
    };
    const timer = setTimeout(() => fail('did not start in a minute'), startTimeoutMs);
    const read = (chunk) => {
      output += chunk;
      const port = /Extension host agent listening on (\d+)/.exec(output)?.[1];
      if (port === undefined) return;
      clearTimeout(timer);
      resolve(`http://127.0.0.1:${port}`);
    };
    server.stdout.on('data', read);
    server.stderr.on('data', read);
    server.once('exit', (code) => fail(`ended with exit code ${code}`));
    server.once('error', (error) => fail(`could not be started (${error.message})`));
  });
}

/** The address that opens a folder; `payload` is the workbench's list of name and value pairs, e.g. `openFile`. */
function workbenchUrl(origin, folder, payload) {
  const url = new URL(origin);
  url.searchParams.set('folder', folder);
  if (payload.length > 0) url.searchParams.set('payload', JSON.stringify(payload));
  return url.href;
}

/** The workbench's name for a file on its server's machine. */
export function remoteUri(origin, path) {
  return `vscode-remote://${new URL(origin).host}${path}`;
}
