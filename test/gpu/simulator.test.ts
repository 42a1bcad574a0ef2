import { describe, expect, it } from 'vitest';
import type { Shape } from '../../src/core/attention/mechanism.js';
import { unpackTensor } from '../../src/core/kernel/tensor.js';
import { ulpDistance } from '../../src/core/numerics/ulp.js';
import { corpus, inputWords, moduleOf, rows, type Program } from '../core/simulator/corpus.js';
import { compile } from '../../src/gpu/compile.js';
import { load } from '../../src/gpu/run.js';
import {
  bare,
  builtInPlan,
  initialBuffers,
  lastWords,
  modulePlan,
  simulated,
  simulatedModule,
  verdicts,
} from '../core/simulator/simulated.js';
import { invocations, subgroupModule, subgroupOperations } from '../core/simulator/subgroup-operations.js';
import { patience, testDevice } from './dawn.js';
import { resultsOnDevice } from './module.js';

const open = await testDevice();

function onSimulator(code: string, words: number): Uint32Array {
  const plan = modulePlan(code, { inputs: rows * 32, results: words * 4 }, rows);
  return new Uint32Array(lastWords(simulatedModule(plan, { recording: bare, words: [inputWords()] })).buffer);
}

function onDevice(
  device: GPUDevice,
  code: string,
  words: number,
  given: Int32Array<ArrayBuffer> | null,
): Promise<Uint32Array> {
  return resultsOnDevice(device, code, [...(given ? [given] : []), new Int32Array(words)]);
}

/** Why two results differ more than they may, or null. */
function difference({ result, closeness }: Program, simulated: number, device: number): string | null {
  if (simulated === device) return null;
  if (result === 'u32') return `${simulated} (simulator) and ${device} (device)`;
  const format = result;
  const view = new DataView(new ArrayBuffer(4));
  const valueOf = (word: number): number => {
    view.setUint32(0, word, true);
    return format === 'f32' ? view.getFloat32(0, true) : halfOf(word & 0xffff);
  };
  const [a, b] = [valueOf(simulated), valueOf(device)];
  if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return null;
  // WGSL leaves open what overflows and whether subnormal numbers are flushed to zero.
  const tiny = format === 'f32' ? 2 ** -126 : 2 ** -14;
  if (Math.abs(a) < tiny && Math.abs(b) < tiny) return null;
  if (closeness !== 'exact') {
    if (Math.abs(a - b) <= closeness.absolute) return null;
    if (Number.isFinite(a) && Number.isFinite(b) && ulpDistance(format, a, b) <= 2 * closeness.ulp) return null;
  }
  return `${a} (simulator) and ${b} (device)`;
}

function halfOf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Cases small enough for a software device and this file's time, with tails and grouped heads. */
const kernelCases: readonly (readonly [string, Shape])[] = [
  ['softmax/naive', { batch: 1, heads: 2, headsKv: 1, seqlen: 37, seqlenK: 53, headDim: 8, headDimV: 12 }],
  ['softmax/flash', { batch: 1, heads: 2, headsKv: 1, seqlen: 70, seqlenK: 70, headDim: 36, headDimV: 16 }],
  ['linear/left-product', { batch: 1, heads: 2, seqlen: 70, seqlenK: 70, headDim: 20, headDimV: 8 }],
  ['linear/right-product', { batch: 2, heads: 1, seqlen: 130, seqlenK: 130, headDim: 8, headDimV: 20 }],
  ['lightning/lightning1', { batch: 1, heads: 2, seqlen: 97, headDim: 16, headDimV: 8 }],
  ['lightning/lightning2', { batch: 1, heads: 2, seqlen: 150, headDim: 12, headDimV: 8 }],
];

describe.skipIf(!open)('the kernels that come along', () => {
  it.each(kernelCases)('%s gives what the device gives', async (name, shape) => {
    const full = builtInPlan(name, shape);
    const simulation = simulated(full, bare);
    for (const verdict of verdicts(full, simulation)) expect(verdict.passed, verdict.sentence).toBe(true);
    const inputs = new Map<string, ArrayBuffer>();
    const buffers = initialBuffers(full.kernel, full.plan);
    for (const [index, { variable, content }] of full.plan.buffers.entries()) {
      if (content.kind === 'tensor' && content.role === 'input') inputs.set(variable, buffers[index]!);
    }
    const compiledKernel = await compile(open!, full.plan, new Map(), patience);
    if (!compiledKernel.ok) throw new Error(compiledKernel.failure.message);
    const loaded = await load(open!, compiledKernel.value, inputs, patience);
    if (!loaded.ok) throw new Error(loaded.failure.message);
    const outputs = await loaded.value.run(patience);
    loaded.value.dispose();
    if (!outputs.ok) throw new Error(outputs.failure.message);
    for (const { planned, bytes } of outputs.value) {
      if (planned.content.kind !== 'tensor') continue;
      const own = simulation.buffers.find(({ variable }) => variable === planned.variable)!;
      const there = unpackTensor(planned.content.view, bytes);
      const here = unpackTensor(planned.content.view, own.bytes);
      expect(here.states).toEqual(there.states);
      // Both are within the verdict's bounds of the reference; of each other they stay within this much of the largest.
      const largest = there.values.reduce(
        (most, value) => Math.max(most, Math.abs(value) < 1e30 ? Math.abs(value) : 0),
        0,
      );
      const farthest = there.values.reduce((most, value, at) => Math.max(most, Math.abs(value - here.values[at]!)), 0);
      expect(farthest / largest, planned.variable).toBeLessThan(2e-5);
    }
  });
});

const subgroups = open?.device.features.has('subgroups') ?? false;

describe.skipIf(!subgroups)('subgroup operations', () => {
  // Where the size may vary from pipeline to pipeline, the kernel itself has to say which one it got.
  it.each(subgroupOperations())('$expression gives what the device gives', async ({ expression }) => {
    const device = open!.device;
    const [size] = await onDevice(device, subgroupModule('size'), invocations, null);
    const plan = modulePlan(subgroupModule(expression), { results: invocations * 4 }, invocations);
    const here = new Uint32Array(lastWords(simulatedModule(plan, { subgroupSize: size! })).buffer);
    expect(await onDevice(device, subgroupModule(expression), invocations, null)).toEqual(here);
  });
});

const perModule = 24;
const usable = corpus.filter(({ features }) => features.every((name) => open?.device.features.has(name) ?? false));
const modules = Array.from({ length: Math.ceil(usable.length / perModule) }, (_, index) =>
  usable.slice(index * perModule, (index + 1) * perModule),
);

describe.skipIf(!open)('a corpus of small programs', () => {
  it('has some hundreds of them', () => {
    expect(corpus.length).toBeGreaterThan(250);
    expect(new Set(corpus.map(({ name, result }) => `${name} ${result}`)).size).toBe(corpus.length);
  });

  it.each(modules.map((programs) => [programs[0]!.name, programs] as const))(
    'gives the same on the device and the simulator, from "%s" on',
    async (_, programs) => {
      const code = moduleOf(programs);
      const words = programs.length * rows;
      const simulated = onSimulator(code, words);
      const device = await onDevice(open!.device, code, words, inputWords());
      const wrong = programs.flatMap((program, index) => {
        for (let row = 0; row < rows; row++) {
          const at = index * rows + row;
          const found = difference(program, simulated[at]!, device[at]!);
          if (found !== null) return [`${program.name}, row ${row}: ${found}`];
        }
        return [];
      });
      expect(wrong).toEqual([]);
    },
  );
});
