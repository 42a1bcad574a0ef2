import type { OpenDevice } from '../gpu/device.js';
import type { GpuResult } from '../gpu/failure.js';
import { plain, throwIfCancelled } from '../gpu/wait.js';
import { benchmark } from './benchmark.js';
import type { CallContext, Handlers } from './channel.js';
import { check } from './check.js';
import { compare } from './compare.js';
import { consistency } from './consistency.js';
import type { DeviceInfo, LabFailure, LabMethods, Outcome } from './contract.js';
import { LabFault, outcome } from './failure.js';
import { run } from './run.js';
import { DeviceSession } from './session.js';
import type { SimulatorHost } from './simulator.js';
import { verifyGiven } from './verifyGiven.js';
import type { Bench } from './workbench.js';

/** What a host may set for its lab. */
export interface LabSettings {
  /**
   * Milliseconds one submission may take before its kernel counts as never ending; null gives a GPU 10 s and a software
   * adapter, which may be that slow with a good kernel, a minute.
   */
  readonly timeoutMs: number | null;
  /** Multiply-adds the reference of one case may cost before rows are sampled. */
  readonly referenceBudget: number;
  /** Gets rid of a device that no longer answers. Closing it can block for as long as the kernel runs. */
  readonly abandon: (open: OpenDevice) => void;
}

/** A lab: the contract's methods over one device, and its end. */
export type Lab = Handlers<LabMethods> & {
  /** Closes the device; open jobs end as failures. */
  readonly dispose: () => void;
};

const defaults: LabSettings = {
  timeoutMs: null,
  referenceBudget: 1e9,
  abandon: (open) => open.device.destroy(),
};

const submissionMs = { gpu: 10_000, software: 60_000 } as const;
/** Compilers take their time, but they end. */
const compilationMs = 180_000;

/**
 * A lab on the device `acquireDevice` opens and on a simulator. Jobs run one at a time, in the order they were asked for,
 * so that a simulation takes no CPU time from a measurement; a device that was lost, or given up because it hung, is
 * replaced at the next job. Simulations open no device. No method rejects for what a kernel does.
 */
export function createLab(
  acquireDevice: () => Promise<GpuResult<OpenDevice>>,
  simulator: SimulatorHost,
  host: 'webview' | 'native',
  settings: Partial<LabSettings> = {},
): Lab {
  const { timeoutMs, referenceBudget, abandon } = { ...defaults, ...settings };
  const session = new DeviceSession(acquireDevice, abandon);
  let queue: Promise<unknown> = Promise.resolve();

  const inTurn = <T>(perform: () => Promise<T>): Promise<T> => {
    const answer = queue.then(perform);
    // A failed job holds up no other; whoever asked for it hears of it.
    queue = answer.catch(() => undefined);
    return answer;
  };

  const job = <T>({ signal, report }: CallContext, work: (bench: Bench) => Promise<T>): Promise<Outcome<T>> => {
    const perform = async (): Promise<Outcome<T>> => {
      const result = await outcome(async () => {
        throwIfCancelled(signal);
        const open = await session.device();
        const info: DeviceInfo = { ...open.description, host };
        const runMs = timeoutMs ?? (info.software ? submissionMs.software : submissionMs.gpu);
        const patience = { timeoutMs: runMs, signal };
        const compilePatience = { timeoutMs: Math.max(compilationMs, runMs), signal };
        const value = await work({ open, info, referenceBudget, patience, compilePatience, report });
        rejectStrayErrors(open);
        return value;
      });
      if (!result.ok) await recover(session, result.failure);
      return result;
    };
    return inTurn(perform);
  };

  return {
    device: (_, context) => job(context, ({ info }) => Promise.resolve(info)),
    check: ({ kernel }, context) => job(context, (bench) => check(bench, kernel)),
    run: ({ kernel, override }, context) => job(context, (bench) => run(bench, kernel, override)),
    compare: ({ kernel, override, seed }, context) => job(context, (bench) => compare(bench, kernel, override, seed)),
    benchmark: ({ kernel, override, seed }, context) =>
      job(context, (bench) => benchmark(bench, kernel, override, seed)),
    verify: (params, context) => job(context, (bench) => verifyGiven(bench, params)),
    trace: (params, context) => inTurn(() => simulator.perform({ kind: 'trace', ...params }, context)),
    compareSimulated: (params, context) =>
      inTurn(() => simulator.perform({ kind: 'compareSimulated', ...params }, context)),
    consistency: ({ kernels, override, seed }, context) =>
      job(context, (bench) => consistency(bench, kernels, override, seed)),
    consistencySimulated: (params, context) =>
      inTurn(() => simulator.perform({ kind: 'consistencySimulated', ...params }, context)),
    hazards: (params, context) => inTurn(() => simulator.perform({ kind: 'hazards', ...params }, context)),
    values: (params, context) => inTurn(() => simulator.perform({ kind: 'values', ...params }, context)),
    dispose: () => session.discard(),
  };
}

/** A result is no result where the device reported an error that nobody had asked about. */
function rejectStrayErrors(open: OpenDevice): void {
  const [first] = open.takeUncapturedErrors();
  if (first === undefined) return;
  throw new LabFault({
    kind: 'internal',
    message: `The GPU reported an error outside the kernel: ${plain(first)}`,
    remedy: 'Run the kernel again; if it happens again, please report it with the kernel file.',
    diagnostics: [],
  });
}

/** Makes sure that the next job finds a device that works. */
async function recover(session: DeviceSession, failure: LabFailure): Promise<void> {
  switch (failure.kind) {
    case 'timeout':
    case 'device-lost':
    case 'internal':
      session.discard();
      return;
    case 'cancelled':
      await session.drain();
      return;
    default:
      return;
  }
}
