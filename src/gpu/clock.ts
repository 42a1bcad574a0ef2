import { encodePass } from './run.js';
import type { BoundKernel } from './buffers.js';
import type { OpenDevice } from './device.js';
import { scoped, wait, type Patience } from './wait.js';

/** Measures how long the device takes for runs of a kernel. Dispose of it after use. */
export interface Clock {
  readonly kind: 'timestamps' | 'wall-clock';
  /** Smallest step of the clock seen, in nanoseconds. */
  readonly resolutionNs: number;
  /** Time of `runs` runs in a row, all passes, in nanoseconds for all of them together; null where the clock went astray. */
  readonly batch: (bound: BoundKernel, runs: number, patience: Patience) => Promise<number | null>;
  /** Mean time of each pass over `runs` runs, in nanoseconds; null where passes cannot be told apart. */
  readonly passes: (bound: BoundKernel, runs: number, patience: Patience) => Promise<readonly number[] | null>;
  readonly dispose: () => void;
}

const bytesPerTimestamp = 8;
const maxTimestamps = 4096;
const resolutionProbes = 64;

/** The GPU's own clock where the device has timestamp queries, else the CPU's over whole batches. */
export async function openClock(open: OpenDevice, patience: Patience): Promise<Clock> {
  return open.description.timestamps ? openTimestampClock(open, patience) : openWallClock(open);
}

/** The CPU's clock, from handing a batch over until the device has done it. */
export function openWallClock(open: OpenDevice): Clock {
  const { device } = open;
  return {
    kind: 'wall-clock',
    resolutionNs: wallClockResolutionNs(),
    batch: (bound, runs, patience) =>
      scoped(open, 'Timing the kernel', patience, async () => {
        const commands = encodeBatch(device, bound, runs, null);
        const start = performance.now();
        device.queue.submit([commands]);
        await wait(open, device.queue.onSubmittedWorkDone(), 'The kernel', patience);
        return (performance.now() - start) * 1e6;
      }),
    passes: () => Promise.resolve(null),
    dispose: () => undefined,
  };
}

function wallClockResolutionNs(): number {
  let smallest = Infinity;
  for (let step = 0; step < 8; step++) {
    const start = performance.now();
    let now = start;
    while (now === start) now = performance.now();
    smallest = Math.min(smallest, now - start);
  }
  return smallest * 1e6;
}

async function openTimestampClock(open: OpenDevice, patience: Patience): Promise<Clock> {
  const { device } = open;
  const querySet = device.createQuerySet({ type: 'timestamp', count: maxTimestamps });
  const resolved = device.createBuffer({
    size: maxTimestamps * bytesPerTimestamp,
    usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
  });
  const staging = device.createBuffer({
    size: maxTimestamps * bytesPerTimestamp,
    usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ,
  });
  const dispose = (): void => {
    querySet.destroy();
    resolved.destroy();
    staging.destroy();
  };

  /** Submits commands that write the first `count` timestamps and reads these, in nanoseconds. */
  const read = (commands: GPUCommandBuffer, count: number, limit: Patience): Promise<BigUint64Array> =>
    scoped(open, 'Timing the kernel', limit, async () => {
      const encoder = device.createCommandEncoder();
      encoder.resolveQuerySet(querySet, 0, count, resolved, 0);
      encoder.copyBufferToBuffer(resolved, 0, staging, 0, count * bytesPerTimestamp);
      device.queue.submit([commands, encoder.finish()]);
      await wait(open, staging.mapAsync(GPUMapMode.READ, 0, count * bytesPerTimestamp), 'The kernel', limit);
      const times = new BigUint64Array(staging.getMappedRange(0, count * bytesPerTimestamp).slice(0));
      staging.unmap();
      return times;
    });

  try {
    const probes = await read(encodeProbes(device, querySet), 2 * resolutionProbes, patience);
    return {
      kind: 'timestamps',
      resolutionNs: smallestStep(probes),
      batch: async (bound, runs, limit) => {
        const times = await read(encodeBatch(device, bound, runs, querySet), 2, limit);
        // Some drivers let the counter start over, or answer zero when it was not ready.
        return times[1]! > times[0]! ? Number(times[1]! - times[0]!) : null;
      },
      passes: async (bound, runs, limit) => {
        const count = bound.passes.length;
        const whole = Math.max(1, Math.min(runs, Math.floor(maxTimestamps / (2 * count))));
        const times = await read(encodePasses(device, bound, whole, querySet), 2 * count * whole, limit);
        return meanPerPass(times, count, whole);
      },
      dispose,
    };
  } catch (error) {
    dispose();
    throw error;
  }
}

/** All runs in one compute pass: nothing stands between them but the barriers WebGPU puts between dispatches. */
function encodeBatch(
  device: GPUDevice,
  bound: BoundKernel,
  runs: number,
  querySet: GPUQuerySet | null,
): GPUCommandBuffer {
  const encoder = device.createCommandEncoder();
  const timestampWrites = querySet && { querySet, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 };
  const computePass = encoder.beginComputePass(timestampWrites ? { timestampWrites } : {});
  for (let run = 0; run < runs; run++) {
    for (const pass of bound.passes) encodePass(computePass, pass);
  }
  computePass.end();
  return encoder.finish();
}

/** Every pass of every run in a compute pass of its own, with its own two timestamps. */
function encodePasses(device: GPUDevice, bound: BoundKernel, runs: number, querySet: GPUQuerySet): GPUCommandBuffer {
  const encoder = device.createCommandEncoder();
  let index = 0;
  for (let run = 0; run < runs; run++) {
    for (const pass of bound.passes) {
      const computePass = encoder.beginComputePass({
        timestampWrites: { querySet, beginningOfPassWriteIndex: index, endOfPassWriteIndex: index + 1 },
      });
      encodePass(computePass, pass);
      computePass.end();
      index += 2;
    }
  }
  return encoder.finish();
}

function encodeProbes(device: GPUDevice, querySet: GPUQuerySet): GPUCommandBuffer {
  const encoder = device.createCommandEncoder();
  for (let probe = 0; probe < resolutionProbes; probe++) {
    encoder
      .beginComputePass({
        timestampWrites: { querySet, beginningOfPassWriteIndex: 2 * probe, endOfPassWriteIndex: 2 * probe + 1 },
      })
      .end();
  }
  return encoder.finish();
}

/** Smallest difference between two timestamps that differ: an upper bound of the clock's step. */
function smallestStep(times: BigUint64Array): number {
  const ascending = [...times].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  let smallest = Infinity;
  for (let i = 1; i < ascending.length; i++) {
    const step = Number(ascending[i]! - ascending[i - 1]!);
    if (step > 0) smallest = Math.min(smallest, step);
  }
  // Where all are equal the step is longer than all the probes took; browsers round to 100 µs.
  return Number.isFinite(smallest) ? smallest : 100_000;
}

function meanPerPass(times: BigUint64Array, count: number, runs: number): readonly number[] | null {
  const sums = Array.from({ length: count }, () => 0);
  for (let i = 0; i < count * runs; i++) {
    const [begin, end] = [times[2 * i]!, times[2 * i + 1]!];
    if (end < begin) return null;
    sums[i % count]! += Number(end - begin);
  }
  return sums.map((sum) => sum / runs);
}
