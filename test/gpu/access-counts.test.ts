import { describe, expect, it } from 'vitest';
import { sourceLines } from '../../src/core/analysis/context.js';
import { buildLedger } from '../../src/core/analysis/ledger-build.js';
import type { Plan } from '../../src/core/kernel/model.js';
import type { OpenDevice } from '../../src/gpu/device.js';
import { plannedKernel, type PlannedKernel } from '../core/analysis/planned.js';
import { complete, tilings, type RequestedBytes } from '../core/analysis/requested-bytes.js';
import { simulatedContext } from '../core/analysis/simulated.js';
import { countAccesses } from './counted.js';
import { testDevice } from './dawn.js';

const open = await testDevice();

/** Executions by "line variable kind". */
type Counts = Readonly<Record<string, number>>;

/** A device buffer with given bytes. */
function deviceBuffer(device: GPUDevice, bytes: Uint8Array, usage: number): GPUBuffer {
  const size = Math.ceil(bytes.byteLength / 4) * 4;
  const buffer = device.createBuffer({ size, usage: usage | GPUBufferUsage.COPY_DST, mappedAtCreation: true });
  new Uint8Array(buffer.getMappedRange()).set(bytes);
  buffer.unmap();
  return buffer;
}

function planBuffers(device: GPUDevice, { plan, inputs }: PlannedKernel): ReadonlyMap<string, GPUBuffer> {
  return new Map(
    plan.buffers.map(({ variable, byteLength, content }): [string, GPUBuffer] => {
      if (content.kind === 'uniform') return [variable, deviceBuffer(device, content.bytes, GPUBufferUsage.UNIFORM)];
      const bytes = new Uint8Array(inputs.get(variable) ?? new ArrayBuffer(byteLength));
      return [variable, deviceBuffer(device, bytes, GPUBufferUsage.STORAGE)];
    }),
  );
}

/** The layout of the kernel's own group: the buffers of one pass. */
function passLayout(device: GPUDevice, plan: Plan, variables: readonly string[]): GPUBindGroupLayout {
  const entries = plan.buffers
    .filter(({ variable }) => variables.includes(variable))
    .map(({ binding, type }) => ({ binding, visibility: GPUShaderStage.COMPUTE, buffer: { type } }));
  return device.createBindGroupLayout({ entries });
}

/** Runs a kernel on the device and counts, in its own text, how often each array element is accessed. */
async function countOnDevice(
  { device }: OpenDevice,
  kernel: PlannedKernel,
  arrays: readonly string[],
): Promise<Counts> {
  const { plan } = kernel;
  const { code, accesses } = countAccesses(plan.code, arrays);
  const module = device.createShaderModule({ code });
  const counters = deviceBuffer(
    device,
    new Uint8Array(4 * accesses.length),
    GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC,
  );
  const read = device.createBuffer({ size: counters.size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  const counterLayout = device.createBindGroupLayout({
    entries: [{ binding: 0, visibility: GPUShaderStage.COMPUTE, buffer: { type: 'storage' } }],
  });
  const counterGroup = device.createBindGroup({
    layout: counterLayout,
    entries: [{ binding: 0, resource: { buffer: counters } }],
  });
  const buffers = planBuffers(device, kernel);
  device.pushErrorScope('validation');
  const encoder = device.createCommandEncoder();
  for (const { entry, variables, workgroups } of plan.passes) {
    const own = passLayout(device, plan, variables);
    const layout = device.createPipelineLayout({ bindGroupLayouts: [own, counterLayout] });
    const pipeline = device.createComputePipeline({
      layout,
      compute: { module, entryPoint: entry, constants: { ...plan.constants } },
    });
    const bound = plan.buffers.filter(({ variable }) => variables.includes(variable));
    const entries = bound.map(({ binding, variable }) => ({ binding, resource: { buffer: buffers.get(variable)! } }));
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, device.createBindGroup({ layout: own, entries }));
    pass.setBindGroup(1, counterGroup);
    pass.dispatchWorkgroups(...workgroups);
    pass.end();
  }
  encoder.copyBufferToBuffer(counters, 0, read, 0, counters.size);
  device.queue.submit([encoder.finish()]);
  const error = await device.popErrorScope();
  if (error) throw new Error(`${error.message}\n${code}`);
  await read.mapAsync(GPUMapMode.READ);
  const values = new Uint32Array(read.getMappedRange().slice(0));
  for (const buffer of [counters, read, ...buffers.values()]) buffer.destroy();
  // Counters stand in the preprocessed code; the simulator's sites in the file.
  const lines = sourceLines(kernel.source);
  const counts: Record<string, number> = {};
  for (const { counter, variable, kind, offset } of accesses) {
    const key = `${lines.lineAt(plan.toSource(offset))} ${variable} ${kind}`;
    counts[key] = (counts[key] ?? 0) + values[counter]!;
  }
  return Object.fromEntries(Object.entries(counts).filter(([, value]) => value > 0));
}

/** The same from the ledger of a simulation of every workgroup. */
function countInSimulator(kernel: PlannedKernel, arrays: readonly string[]): Counts {
  const counts: Record<string, number> = {};
  for (const { line, variable, kind, accesses } of buildLedger(simulatedContext(kernel, 'none')).lines) {
    if (!arrays.includes(variable)) continue;
    const key = `${line} ${variable} ${kind}`;
    counts[key] = (counts[key] ?? 0) + accesses;
  }
  return counts;
}

/** Requested bytes by variable, from the device's counts. */
function requestedBytes(kernel: PlannedKernel, counts: Counts): RequestedBytes {
  const storage = kernel.plan.buffers.filter(({ type }) => type !== 'uniform');
  return Object.fromEntries(
    storage.map(({ variable }) => {
      const bytes = kernel.source.includes(` ${variable}: array<vec4<f32>>`) ? 16 : 4;
      const total = (kind: string): number =>
        Object.entries(counts).reduce(
          (sum, [key, count]) => (key.endsWith(` ${variable} ${kind}`) ? sum + count : sum),
          0,
        );
      return [variable, [bytes * total('read'), bytes * total('write')]];
    }),
  );
}

describe.runIf(open).each(tilings)('accesses of $name, counted by the GPU itself', ({ text, cases, expected }) => {
  it.each(cases)('are those of its tiling and of the simulator, line by line: $name', async ({ sizes, options }) => {
    const shape = complete(sizes);
    const kernel = plannedKernel(text, { ...shape }, options);
    const storage = kernel.plan.buffers.filter(({ type }) => type !== 'uniform').map(({ variable }) => variable);
    const shared = Array.from(text.matchAll(/var<workgroup> (\w+):/g), ([, name]) => name!);
    const counted = await countOnDevice(open!, kernel, [...storage, ...shared]);
    expect(requestedBytes(kernel, counted)).toEqual(expected(shape, options));
    expect(countInSimulator(kernel, [...storage, ...shared])).toEqual(counted);
  });
});
