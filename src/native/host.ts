import { fork, type ChildProcess } from 'node:child_process';
import { Channel, type CallOptions } from '../lab/channel.js';
import type { LabFailure, LabMethods, Outcome } from '../lab/contract.js';
import { driverIsChosen, findSoftwareDriver, softwareDriverEnvironment } from './driver.js';
import { heartbeatMs, isHeartbeat, type NativeMethods } from './protocol.js';

/** How to start and watch the native process. */
export interface NativeHostOptions {
  /** Path of the bundled `native.js`. */
  readonly entry: string;
  /** Hears what people should know: that a software driver was chosen, say. */
  readonly notify: (message: string) => void;
  /** Passes what the driver writes to stderr on; otherwise it is kept for the message of a crash. */
  readonly verbose: boolean;
  /** Added to the environment of the process. */
  readonly env?: Readonly<Record<string, string>>;
  /** Milliseconds without a heartbeat after which the process counts as hanging. */
  readonly silenceMs?: number;
}

interface Child {
  readonly process: ChildProcess;
  readonly channel: Channel<NativeMethods, Record<string, never>>;
  /** Resolves with words for people once the process is gone. */
  readonly gone: Promise<string>;
  readonly hung: () => boolean;
  readonly watchdog: NodeJS.Timeout;
}

/** The process's answers come late where the CPU is busy with a reference; this is far beyond that. */
const defaultSilenceMs = 60_000;
const keptStderr = 4000;

/**
 * Keeps a lab in a process of its own and talks to it. A process that crashes or hangs is killed, its open call answered
 * with a failure, and the next call starts another. Calls are made one at a time, in order.
 */
export class NativeHost {
  private child: Child | null = null;
  private softwareDriver: string | null = null;
  private queue: Promise<unknown> = Promise.resolve();

  constructor(private readonly options: NativeHostOptions) {}

  /** Calls a method of the lab. Never rejects: a crash and a cancelled call are failures too. */
  call<K extends keyof LabMethods>(
    method: K,
    params: Parameters<LabMethods[K]>[0],
    options: CallOptions = {},
  ): Promise<Awaited<ReturnType<LabMethods[K]>>> {
    const answer = this.queue.then(() => this.callWithDriver(method, params, options));
    this.queue = answer;
    return answer;
  }

  /** Ends the process. Nothing of it keeps this one alive: a program that is done need not wait until its memory is freed. */
  dispose(): void {
    const child = this.stop();
    if (!child) return;
    child.process.unref();
    child.process.channel?.unref();
    child.process.stderr?.destroy();
    clearInterval(child.watchdog);
  }

  /** Ends the process, and waits until what it held of the GPU is free. */
  private async discard(): Promise<void> {
    await this.stop()?.gone;
  }

  private stop(): Child | null {
    const { child } = this;
    this.child = null;
    child?.channel.dispose();
    child?.process.kill('SIGKILL');
    return child;
  }

  /** Makes the call, and once more with a software driver where no GPU was found. */
  private async callWithDriver<K extends keyof LabMethods>(
    method: K,
    params: Parameters<LabMethods[K]>[0],
    options: CallOptions,
  ): Promise<Awaited<ReturnType<LabMethods[K]>>> {
    const first = await this.callOnce(method, params, options);
    const noDevice = !first.ok && first.failure.kind === 'no-device';
    if (!noDevice || this.softwareDriver !== null || driverIsChosen({ ...process.env, ...this.options.env })) {
      return first;
    }
    this.softwareDriver = findSoftwareDriver();
    if (this.softwareDriver === null) return first;
    this.options.notify(
      `No GPU was found: using the software Vulkan driver ${this.softwareDriver}. Results are right, speeds are those of the CPU.`,
    );
    await this.discard();
    return this.callOnce(method, params, options);
  }

  private async callOnce<K extends keyof LabMethods>(
    method: K,
    params: Parameters<LabMethods[K]>[0],
    options: CallOptions,
  ): Promise<Awaited<ReturnType<LabMethods[K]>>> {
    const child = (this.child ??= this.start());
    const gone = child.gone.then((reason): Outcome<never> => ({ ok: false, failure: this.crashed(child, reason) }));
    const answer = child.channel
      .call(method, params, options)
      .catch(async (error: unknown): Promise<Outcome<never>> => {
        // An error of the channel is most often the process's end: its reason says more.
        const late = new Promise<null>((resolve) => setTimeout(() => resolve(null), 500).unref());
        return (await Promise.race([gone, late])) ?? { ok: false, failure: channelFailure(error) };
      });
    const result: Outcome<unknown> = await Promise.race([answer, gone]);
    if (!result.ok && endsProcess(result.failure)) await this.retire(child);
    // Both ends hold to the contract: an answer has the type of its method.
    return result as Awaited<ReturnType<LabMethods[K]>>;
  }

  /** After such a failure the process may be about to end itself: it is not asked again. */
  private async retire(child: Child): Promise<void> {
    if (this.child === child) await this.discard();
  }

  private crashed(child: Child, reason: string): LabFailure {
    if (this.child === child) this.child = null;
    return child.hung()
      ? {
          kind: 'timeout',
          message: 'The GPU process did not answer any more and was stopped.',
          remedy: 'Look for a loop that never ends, or try a smaller shape. The next run starts a new process.',
          diagnostics: [],
        }
      : {
          kind: 'device-lost',
          message: `The GPU process crashed while the kernel ran (${reason}).`,
          remedy:
            'The next run starts a new process. If it crashes again, the driver fails on this kernel: simplify it.',
          diagnostics: [],
        };
  }

  private start(): Child {
    const { entry, verbose, env = {}, silenceMs = defaultSilenceMs } = this.options;
    const driver = this.softwareDriver ? softwareDriverEnvironment(this.softwareDriver, process.env) : {};
    const child = fork(entry, [], {
      env: { XDG_RUNTIME_DIR: '/tmp', ...process.env, ...env, ...driver },
      execArgv: [],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    let stderr = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      stderr = (stderr + chunk.toString()).slice(-keptStderr);
      if (verbose) process.stderr.write(chunk);
    });

    let lastHeard = performance.now();
    let hung = false;
    child.on('message', () => {
      lastHeard = performance.now();
    });
    const watchdog = setInterval(() => {
      if (performance.now() - lastHeard < silenceMs) return;
      hung = true;
      child.kill('SIGKILL');
    }, heartbeatMs);

    const channel = new Channel<NativeMethods, Record<string, never>>(
      {
        post: (message) => {
          // A process that is just ending cannot be written to; its end is reported by `gone`.
          if (child.connected) child.send(message as object, () => undefined);
        },
        listen: (receive) => {
          const listener = (message: unknown): void => {
            if (!isHeartbeat(message)) receive(message);
          };
          child.on('message', listener);
          return () => child.off('message', listener);
        },
      },
      {},
    );
    const gone = new Promise<string>((resolve) => {
      child.once('error', (error) => resolve(error.message));
      child.once('close', (code, signal) => resolve(endReason(code, signal, stderr)));
    }).finally(() => {
      clearInterval(watchdog);
      channel.dispose();
    });
    return { process: child, channel, gone, hung: () => hung, watchdog };
  }
}

function endReason(code: number | null, signal: NodeJS.Signals | null, stderr: string): string {
  const how = signal ? `signal ${signal}` : `exit code ${code ?? 'unknown'}`;
  const words = stderr.trim();
  return words ? `${how}; its last words: ${words}` : how;
}

function endsProcess({ kind }: LabFailure): boolean {
  return kind === 'timeout' || kind === 'device-lost' || kind === 'internal' || kind === 'cancelled';
}

function channelFailure(error: unknown): LabFailure {
  if (error instanceof Error && error.name === 'AbortError') {
    return { kind: 'cancelled', message: 'The job was cancelled.', remedy: null, diagnostics: [] };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { kind: 'internal', message: `The GPU process gave no answer: ${message}`, remedy: null, diagnostics: [] };
}
