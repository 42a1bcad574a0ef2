import type { Plan, PlannedBuffer } from '../core/kernel/model.js';
import { poisonTensor } from '../core/kernel/tensor.js';
import type { CompiledKernel, CompiledPass } from './compile.js';
import type { OpenDevice } from './device.js';
import { fault } from './failure.js';
import { guardBytes } from './limits.js';
import { scoped, type Patience } from './wait.js';

/** The word around every output; a kernel that writes outside its tensor leaves another one. */
export const guardWord = 0x5afec0de;

/** What scratch holds before a run: other NaNs, so that reading what no pass wrote shows in the outputs. */
export const scratchPoison = { f32: 0x7fc05c4a, f16: 0x7e4a7e4a, u32: 0x7fc05c4a, i32: 0x7fc05c4a } as const;

/** A buffer on the device: the bytes the kernel is bound to start at `offset`, guards stand around those of outputs. */
export interface DeviceBuffer {
  readonly planned: PlannedBuffer;
  readonly buffer: GPUBuffer;
  readonly offset: number;
  /** Bytes bound: the planned length, rounded up to whole words. */
  readonly size: number;
}

/** The buffers of one plan, and each pass's bind groups over them. */
export interface BoundKernel {
  readonly plan: Plan;
  readonly buffers: readonly DeviceBuffer[];
  readonly passes: readonly { readonly compiled: CompiledPass; readonly groups: readonly GPUBindGroup[] }[];
  /** Packed bytes of the inputs, by variable name. */
  readonly inputs: ReadonlyMap<string, ArrayBuffer>;
  readonly dispose: () => void;
}

const wordBytes = 4;
const wholeWords = (byteLength: number): number => Math.ceil(byteLength / wordBytes) * wordBytes;

/**
 * Creates and fills the buffers of a compiled plan: uniforms with the plan's bytes, inputs with `inputs` (packed bytes
 * by variable name). Outputs and scratch are left for `poison`. Throws a fault, and frees all, where memory runs out.
 */
export async function bind(
  open: OpenDevice,
  kernel: CompiledKernel,
  inputs: ReadonlyMap<string, ArrayBuffer>,
  patience: Patience,
): Promise<BoundKernel> {
  const created: GPUBuffer[] = [];
  const dispose = (): void => {
    for (const buffer of created.splice(0)) buffer.destroy();
  };
  try {
    return await scoped(open, 'Setting up the buffers', patience, () => {
      const buffers = kernel.plan.buffers.map((planned) => {
        const made = createBuffer(open.device, planned);
        created.push(made.buffer);
        return made;
      });
      for (const made of buffers) upload(open.device, made, inputs);
      const passes = kernel.passes.map((compiled) => ({ compiled, groups: bindPass(open.device, compiled, buffers) }));
      return { plan: kernel.plan, buffers, passes, inputs, dispose };
    });
  } catch (error) {
    dispose();
    throw error;
  }
}

function createBuffer(device: GPUDevice, planned: PlannedBuffer): DeviceBuffer {
  // A binding of no bytes is not allowed; one word stands for the empty tensor.
  const size = Math.max(wordBytes, wholeWords(planned.byteLength));
  const offset = isOutput(planned) ? guardBytes : 0;
  const purpose = planned.type === 'uniform' ? GPUBufferUsage.UNIFORM : GPUBufferUsage.STORAGE;
  const buffer = device.createBuffer({
    label: planned.variable,
    size: size + 2 * offset,
    usage: purpose | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC,
  });
  return { planned, buffer, offset, size };
}

/** True for the buffers a run is judged by. */
export function isOutput({ content }: PlannedBuffer): boolean {
  return content.kind === 'tensor' && content.role === 'output';
}

function upload(device: GPUDevice, made: DeviceBuffer, inputs: ReadonlyMap<string, ArrayBuffer>): void {
  const { content, variable } = made.planned;
  if (content.kind === 'scratch' || isOutput(made.planned)) return;
  if (content.kind === 'uniform') {
    device.queue.writeBuffer(made.buffer, 0, content.bytes.slice());
    return;
  }
  const bytes = inputs.get(variable);
  if (!bytes) throw fault('internal', `No values were given for the input "${variable}".`, null);
  device.queue.writeBuffer(made.buffer, 0, bytes);
}

function bindPass(device: GPUDevice, compiled: CompiledPass, buffers: readonly DeviceBuffer[]): GPUBindGroup[] {
  return compiled.groups.map(({ layout, buffers: planned }) =>
    device.createBindGroup({
      layout,
      entries: planned.map((wanted) => {
        const { buffer, offset, size } = buffers.find((made) => made.planned === wanted)!;
        return { binding: wanted.binding, resource: { buffer, offset, size } };
      }),
    }),
  );
}

/**
 * Makes ready for a run: outputs hold "never written" NaNs between guards, scratch holds NaNs of its own, and inputs
 * that the kernel may write to hold their values again.
 */
export function poison(device: GPUDevice, bound: BoundKernel): void {
  for (const made of bound.buffers) {
    const { planned, buffer, offset, size } = made;
    const { content } = planned;
    if (content.kind === 'tensor' && content.role === 'input' && planned.type === 'storage') {
      upload(device, made, bound.inputs);
    }
    if (content.kind === 'scratch') fill(device, buffer, 0, size, scratchPoison[content.format]);
    if (content.kind !== 'tensor' || content.role !== 'output') continue;
    fill(device, buffer, 0, offset, guardWord);
    device.queue.writeBuffer(buffer, offset, poisonTensor(content.view, size));
    fill(device, buffer, offset + size, offset, guardWord);
  }
}

const fillBlockWords = 1 << 18;

function fill(device: GPUDevice, buffer: GPUBuffer, offset: number, size: number, word: number): void {
  const block = new Uint32Array(Math.min(fillBlockWords, size / wordBytes)).fill(word);
  for (let at = 0; at < size; at += block.byteLength) {
    const length = Math.min(block.byteLength, size - at);
    device.queue.writeBuffer(buffer, offset + at, block, 0, length / wordBytes);
  }
}
