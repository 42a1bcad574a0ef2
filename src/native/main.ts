import { openDevice, type OpenDevice } from '../gpu/device.js';
import type { GpuResult } from '../gpu/failure.js';
import { Channel } from '../lab/channel.js';
import { createLab } from '../lab/lab.js';
import { dawnFlags, keep, loadDawn } from './dawn.js';
import { heartbeatMs, type NativeMethods } from './protocol.js';
import { createProcessSimulator } from './simulator.js';

/**
 * A child process that hosts a lab on Dawn for Node. It speaks the lab's contract over Node's IPC channel, posts a
 * heartbeat, and ends itself after a kernel that never ends: closing a device that hangs would block for ever.
 */
function serve(): void {
  if (!process.send) {
    process.stderr.write('This program is started by Tilescope; to use it yourself, run `tilescope`.\n');
    process.exit(2);
  }
  const post = process.send.bind(process);
  let doomed = false;
  let gpu: Promise<GPU> | null = null;

  const acquire = async (): Promise<GpuResult<OpenDevice>> => {
    gpu ??= loadDawn(dawnFlags(process.env.TILESCOPE_DAWN_FLAGS));
    let loaded: GPU;
    try {
      loaded = await gpu;
    } catch (error) {
      return { ok: false, failure: dawnMissing(error) };
    }
    const opened = await openDevice(loaded);
    if (opened.ok) keep(opened.value.adapter, opened.value.device);
    return opened;
  };

  const timeoutMs = Number(process.env.TILESCOPE_TIMEOUT_MS) || undefined;
  const lab = createLab(acquire, createProcessSimulator(), 'native', {
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    abandon: () => {
      doomed = true;
    },
  });
  const channel = new Channel<Record<string, never>, NativeMethods>(
    {
      post: (message) => {
        // The answer that tells of a given-up device is the last one: this process goes once it is on its way.
        post(message, () => {
          if (doomed) process.kill(process.pid, 'SIGKILL');
        });
      },
      listen: (receive) => {
        process.on('message', receive);
        return () => process.off('message', receive);
      },
    },
    lab,
  );
  const pulse = setInterval(() => {
    if (!doomed) post({ heartbeat: true });
  }, heartbeatMs);
  process.on('disconnect', () => {
    clearInterval(pulse);
    channel.dispose();
    // Dawn keeps the process alive, and its clean-up waits for kernels that may never end.
    process.kill(process.pid, 'SIGKILL');
  });
}

function dawnMissing(error: unknown): Extract<GpuResult<never>, { ok: false }>['failure'] {
  const message = error instanceof Error ? error.message : String(error);
  return {
    kind: 'no-device',
    message: `Dawn, the native WebGPU, cannot be loaded: ${message.split('\n')[0]}`,
    remedy: 'Install the npm package "webgpu" for this platform; Linux also needs libvulkan.so.1.',
    diagnostics: [],
  };
}

serve();
