import { median, settled } from '../core/numerics/statistics.js';
import type { BoundKernel } from './buffers.js';
import { openClock, openWallClock, type Clock } from './clock.js';
import type { OpenDevice } from './device.js';
import { attempt, fault, type GpuResult } from './failure.js';
import { throwIfCancelled, type Patience } from './wait.js';

/** A measured kernel: nanoseconds per run (all passes), one number per sample. */
export interface Measurement {
  readonly clock: 'timestamps' | 'wall-clock';
  readonly resolutionNs: number;
  readonly runsPerSample: number;
  readonly samples: readonly number[];
  /** Samples thrown away before the median had settled, and whether it had. */
  readonly warmupSamples: number;
  readonly settled: boolean;
  /** Median nanoseconds of each pass, or null where they could not be told apart. */
  readonly passes: readonly number[] | null;
}

/** How much measuring is enough. All times in nanoseconds unless named otherwise. */
const plan = {
  /** A sample lasts at least this long, and this many steps of the clock: an error of one step is then 0.3 %. */
  minSample: 1e7,
  stepsPerSample: 310,
  minWallClockSample: 5e7,
  /** A sample of several runs lasts no longer, so that one submission stays far below a second. */
  maxSample: 2.5e8,
  maxRunsPerSample: 4096,
  samples: 25,
  fewestSamples: 5,
  /** From this length of one run on, five samples have to do. */
  longRun: 2e8,
  budgetMs: 20_000,
  warmupShareOfBudget: 0.3,
  /**
   * A GPU that was idle runs at a fraction of its clock and takes some tenths of a second of work to leave it, in steps
   * between which the median looks settled. A software adapter has no such ramp.
   */
  minWarmup: 5e8,
  warmupSample: 5e7,
  maxWarmups: 60,
  settleWindow: 5,
  settleTolerance: 0.02,
} as const;

/**
 * Times a kernel that has been run and found right. Samples are batches long enough to stand far above the clock's
 * step, taken after the running median has settled; `onSample` hears the share done (0 to 1) after each.
 */
export function measure(
  open: OpenDevice,
  bound: BoundKernel,
  patience: Patience,
  onSample: (fraction: number) => void,
): Promise<GpuResult<Measurement>> {
  return attempt(async () => {
    let clock = await openClock(open, patience);
    try {
      const start = performance.now();
      let oneRun = await estimate(clock, bound, patience);
      if (oneRun === null) {
        clock.dispose();
        clock = openWallClock(open);
        oneRun = (await estimate(clock, bound, patience)) ?? 0;
      }
      const leastWarmup = open.description.software ? 0 : plan.minWarmup;
      const { typicalRun, ...warmup } = await warmUp(clock, bound, oneRun, leastWarmup, patience);
      const runs = runsPerSample(clock, typicalRun);
      const samples = await sample(clock, bound, runs, start, patience, onSample);
      const passes = await timePasses(clock, bound, runs, median(samples), patience);
      const { kind, resolutionNs } = clock;
      return { clock: kind, resolutionNs, runsPerSample: runs, samples, ...warmup, passes };
    } finally {
      clock.dispose();
    }
  });
}

/** GPU nanoseconds of one run, or null where the device has no timestamps. A first look, not a measurement. */
export function timeOnce(open: OpenDevice, bound: BoundKernel, patience: Patience): Promise<GpuResult<number | null>> {
  return attempt(async () => {
    if (!open.description.timestamps) return null;
    const clock = await openClock(open, patience);
    try {
      return await clock.batch(bound, 1, patience);
    } finally {
      clock.dispose();
    }
  });
}

/** Nanoseconds of one run, from batches that grow until they show on the clock; null where the clock is of no use. */
async function estimate(clock: Clock, bound: BoundKernel, patience: Patience): Promise<number | null> {
  let astray = 0;
  for (let runs = 1; runs <= plan.maxRunsPerSample; runs *= 4) {
    throwIfCancelled(patience.signal);
    const time = await clock.batch(bound, runs, patience);
    if (time === null && ++astray > 3) return null;
    if (time !== null && time >= 10 * clock.resolutionNs && (runs > 1 || time > plan.minSample)) return time / runs;
  }
  return clock.resolutionNs / 10;
}

function runsPerSample(clock: Clock, oneRun: number): number {
  const floor = clock.kind === 'timestamps' ? plan.minSample : plan.minWallClockSample;
  return runsFor(Math.max(floor, plan.stepsPerSample * clock.resolutionNs), oneRun);
}

/** Runs that together last about `wanted` nanoseconds, within the bounds of one submission. */
function runsFor(wanted: number, oneRun: number): number {
  return Math.max(1, Math.min(plan.maxRunsPerSample, Math.ceil(Math.min(plan.maxSample, wanted) / oneRun)));
}

/** Runs until the median rests and the GPU has worked for at least `leastNs`. `typicalRun` is the last median, per run. */
async function warmUp(
  clock: Clock,
  bound: BoundKernel,
  oneRun: number,
  leastNs: number,
  patience: Patience,
): Promise<{ warmupSamples: number; settled: boolean; typicalRun: number }> {
  const start = performance.now();
  const seen: number[] = [];
  const rested = (): boolean => settled(seen, plan.settleWindow, plan.settleTolerance);
  let worked = 0;
  const least = runsPerSample(clock, oneRun);
  while (seen.length < plan.maxWarmups && !(worked >= leastNs && rested())) {
    throwIfCancelled(patience.signal);
    const runs = leastNs > 0 ? Math.max(least, runsFor(plan.warmupSample, seen.at(-1) ?? oneRun)) : least;
    const time = await clock.batch(bound, runs, patience);
    if (time !== null) {
      seen.push(time / runs);
      worked += time;
    }
    if (performance.now() - start > plan.budgetMs * plan.warmupShareOfBudget) break;
  }
  const typicalRun = seen.length > 0 ? median(seen.slice(-plan.settleWindow)) : oneRun;
  return { warmupSamples: seen.length, settled: rested(), typicalRun };
}

async function sample(
  clock: Clock,
  bound: BoundKernel,
  runs: number,
  startMs: number,
  patience: Patience,
  onSample: (fraction: number) => void,
): Promise<number[]> {
  const samples: number[] = [];
  let wanted: number = plan.samples;
  let attempts = 0;
  while (samples.length < wanted && attempts++ < 4 * plan.samples) {
    throwIfCancelled(patience.signal);
    const time = await clock.batch(bound, runs, patience);
    if (time === null) continue;
    samples.push(time / runs);
    if (time / runs > plan.longRun || performance.now() - startMs > plan.budgetMs) wanted = plan.fewestSamples;
    onSample(Math.min(1, samples.length / wanted));
  }
  if (samples.length === 0) {
    throw fault(
      'internal',
      'The clock of the GPU gave no usable time.',
      'Update the GPU driver, or try another adapter.',
    );
  }
  return samples;
}

async function timePasses(
  clock: Clock,
  bound: BoundKernel,
  runs: number,
  whole: number,
  patience: Patience,
): Promise<readonly number[] | null> {
  if (bound.passes.length === 1) return [whole];
  const rounds: (readonly number[])[] = [];
  for (let round = 0; round < plan.fewestSamples; round++) {
    throwIfCancelled(patience.signal);
    const times = await clock.passes(bound, runs, patience);
    if (times === null) return null;
    rounds.push(times);
  }
  return bound.passes.map((_, pass) => median(rounds.map((times) => times[pass]!)));
}
