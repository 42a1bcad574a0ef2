import type { OpenDevice } from './device.js';
import { fault, GpuFault } from './failure.js';

/** How long to wait for the device, and who may call the wait off. */
export interface Patience {
  readonly timeoutMs: number;
  readonly signal: AbortSignal | null;
}

/** The fault of a job its caller called off. */
export function cancelled(): GpuFault {
  return fault('cancelled', 'The job was cancelled.', null);
}

/** Throws the `cancelled` fault where the signal is aborted: called between passes, runs and samples. */
export function throwIfCancelled(signal: AbortSignal | null): void {
  if (signal?.aborted) throw cancelled();
}

/**
 * Waits for something the device has been asked for: the answer, or the fault of a lost device, of a cancelled job, or of
 * a device that has not answered within the time allowed.
 */
export async function wait<T>(open: OpenDevice, answer: Promise<T>, what: string, patience: Patience): Promise<T> {
  throwIfCancelled(patience.signal);
  let timer: number | undefined;
  let onAbort: (() => void) | undefined;
  const interrupted = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(timedOut(what, patience.timeoutMs)), patience.timeoutMs);
    onAbort = () => reject(cancelled());
    patience.signal?.addEventListener('abort', onAbort, { once: true });
  });
  const gone = open.lost.then((lost) => {
    throw lost;
  });
  try {
    return await Promise.race([answer, interrupted, gone]);
  } catch (error) {
    // A call that fails because the device went away says so in its own words; the loss is the reason people need.
    if (!(error instanceof GpuFault) && open.isLost()) throw await open.lost;
    throw error;
  } finally {
    clearTimeout(timer!);
    if (onAbort) patience.signal?.removeEventListener('abort', onAbort);
  }
}

function timedOut(what: string, timeoutMs: number): GpuFault {
  return fault(
    'timeout',
    `${what} did not end within ${Math.round(timeoutMs / 100) / 10} s and was stopped.`,
    'Look for a loop that never ends, a wait on another workgroup, or try a smaller shape.',
  );
}

/**
 * Does GPU calls under error scopes for validation, memory and driver errors, and throws the first error of the device
 * as a fault. `what` begins its message ("Running the kernel", say).
 */
export async function scoped<T>(
  open: OpenDevice,
  what: string,
  patience: Patience,
  work: () => T | Promise<T>,
): Promise<T> {
  const { device } = open;
  const filters = ['internal', 'out-of-memory', 'validation'] as const;
  for (const filter of filters) device.pushErrorScope(filter);
  let value: T | undefined;
  let thrown: unknown = null;
  try {
    value = await work();
  } catch (error) {
    thrown = error ?? new Error('unknown error');
  }
  const scopes = [...filters].reverse().map((filter) => ({ filter, answer: device.popErrorScope() }));
  const answers = Promise.all(scopes.map(async ({ filter, answer }) => ({ filter, error: await answer })));
  if (thrown instanceof GpuFault) {
    // Nobody waits for the scopes of a job that was stopped: the device may never answer.
    answers.catch(() => undefined);
    throw thrown;
  }
  const errors = await wait(open, answers, what, patience);
  // A buffer that did not fit is invalid from then on: the cause comes before its consequences.
  for (const cause of ['out-of-memory', 'internal', 'validation'] as const) {
    const found = errors.find(({ filter, error }) => filter === cause && error !== null);
    if (found?.error) throw scopeFault(what, cause, found.error.message);
  }
  if (thrown !== null) throw thrown as Error;
  return value as T;
}

function scopeFault(what: string, kind: 'validation' | 'out-of-memory' | 'internal', message: string): GpuFault {
  switch (kind) {
    case 'out-of-memory':
      return fault('out-of-memory', `${what} ran out of GPU memory: ${plain(message)}`, 'Try a smaller shape.');
    case 'validation':
      return fault(
        'validation-error',
        `${what} broke a rule of WebGPU: ${plain(message)}`,
        'Make the bindings, sizes and types of the kernel agree with its front matter.',
      );
    case 'internal':
      return fault('internal', `${what} failed in the driver: ${plain(message)}`, 'Simplify the kernel step by step.');
  }
}

/** The first paragraph of a driver's message, without the list of calls it was made from. */
export function plain(message: string): string {
  const [head = message] = message.split(/\n\s*- While /);
  return head.trim();
}
