import type { PlannedBuffer } from '../core/kernel/model.js';
import { bind, guardWord, isOutput, poison, type BoundKernel, type DeviceBuffer } from './buffers.js';
import type { CompiledKernel } from './compile.js';
import type { OpenDevice } from './device.js';
import { attempt, type GpuResult } from './failure.js';
import { scoped, throwIfCancelled, wait, type Patience } from './wait.js';

/** What a run left in one output. */
export interface OutputBytes {
  readonly planned: PlannedBuffer;
  readonly bytes: Uint8Array;
  /** Guard words before or after the tensor that no longer hold what they did. */
  readonly guardsTouched: number;
}

/** A kernel bound to its buffers: run it as often as needed, then dispose of it. */
export interface LoadedKernel {
  readonly bound: BoundKernel;
  /** Poisons outputs and scratch, runs every pass once, and reads the outputs back. */
  readonly run: (patience: Patience) => Promise<GpuResult<readonly OutputBytes[]>>;
  /** Reads the outputs as they stand. */
  readonly read: (patience: Patience) => Promise<GpuResult<readonly OutputBytes[]>>;
  /** Frees every buffer. Idempotent. */
  readonly dispose: () => void;
}

/** Puts a compiled kernel and its packed inputs (by variable name) on the device. The caller disposes of it. */
export function load(
  open: OpenDevice,
  kernel: CompiledKernel,
  inputs: ReadonlyMap<string, ArrayBuffer>,
  patience: Patience,
): Promise<GpuResult<LoadedKernel>> {
  return attempt(async () => {
    const bound = await bind(open, kernel, inputs, patience);
    return {
      bound,
      run: (runPatience) =>
        attempt(async () => {
          await execute(open, bound, runPatience);
          return readOutputs(open, bound, runPatience);
        }),
      read: (readPatience) => attempt(() => readOutputs(open, bound, readPatience)),
      dispose: bound.dispose,
    };
  });
}

/** Runs every pass once on fresh poison, one submission each, so that a cancelled job stops at the next pass. */
async function execute(open: OpenDevice, bound: BoundKernel, patience: Patience): Promise<void> {
  const { device } = open;
  await scoped(open, 'Running the kernel', patience, async () => {
    poison(device, bound);
    for (const pass of bound.passes) {
      throwIfCancelled(patience.signal);
      const encoder = device.createCommandEncoder();
      const computePass = encoder.beginComputePass();
      encodePass(computePass, pass);
      computePass.end();
      device.queue.submit([encoder.finish()]);
      const { entry } = pass.compiled.planned;
      await wait(open, device.queue.onSubmittedWorkDone(), `The entry point "${entry}"`, patience);
    }
  });
}

/** Records the dispatch of one pass. */
export function encodePass(encoder: GPUComputePassEncoder, pass: BoundKernel['passes'][number]): void {
  encoder.setPipeline(pass.compiled.pipeline);
  pass.groups.forEach((group, index) => encoder.setBindGroup(index, group));
  encoder.dispatchWorkgroups(...pass.compiled.planned.workgroups);
}

async function readOutputs(open: OpenDevice, bound: BoundKernel, patience: Patience): Promise<readonly OutputBytes[]> {
  const { device } = open;
  const outputs = bound.buffers.filter(({ planned }) => isOutput(planned));
  const results: OutputBytes[] = [];
  // One output at a time: the staging buffer is then never larger than the largest of them.
  for (const output of outputs) {
    throwIfCancelled(patience.signal);
    let staging: GPUBuffer | null = null;
    try {
      results.push(
        await scoped(open, 'Reading the outputs back', patience, async () => {
          staging = device.createBuffer({
            size: output.buffer.size,
            usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ,
          });
          const encoder = device.createCommandEncoder();
          encoder.copyBufferToBuffer(output.buffer, 0, staging, 0, output.buffer.size);
          device.queue.submit([encoder.finish()]);
          await wait(open, staging.mapAsync(GPUMapMode.READ), 'Reading the outputs back', patience);
          return takeOutput(output, new Uint8Array(staging.getMappedRange()));
        }),
      );
    } finally {
      (staging as GPUBuffer | null)?.destroy();
    }
  }
  return results;
}

function takeOutput({ planned, offset, size }: DeviceBuffer, mapped: Uint8Array): OutputBytes {
  const guards = [mapped.slice(0, offset), mapped.slice(offset + size)];
  const guardsTouched = guards
    .map((guard) => new Uint32Array(guard.buffer).filter((word) => word !== guardWord).length)
    .reduce((sum, count) => sum + count, 0);
  return { planned, bytes: mapped.slice(offset, offset + planned.byteLength), guardsTouched };
}
