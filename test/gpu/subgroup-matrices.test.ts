import { describe, expect, it } from 'vitest';
import { bare, lastWords, modulePlan, simulatedModule } from '../core/simulator/simulated.js';
import { numbersOf, subgroupMatrixPrograms, type MatrixConfig } from '../core/simulator/subgroup-matrix-programs.js';
import { testDevice } from './dawn.js';
import { resultsOnDevice } from './module.js';

const open = await testDevice();
const feature = 'chromium-experimental-subgroup-matrix';
const hasMatrices = open?.device.features.has(feature) ?? false;
if (open && !hasMatrices) console.warn(`SKIPPED: ${open.description.description} has no ${feature}.`);

interface SubgroupMatrixConfig {
  readonly componentType: MatrixConfig['scalar'];
  readonly resultComponentType: MatrixConfig['scalar'];
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

/** What the adapter's matrix units take. The names are Chromium's; `@webgpu/types` does not have them yet. */
function configsOf(adapter: GPUAdapter): readonly MatrixConfig[] {
  const { subgroupMatrixConfigs = [] } = adapter.info as { subgroupMatrixConfigs?: readonly SubgroupMatrixConfig[] };
  return subgroupMatrixConfigs.map(({ componentType, resultComponentType, M, N, K }) => ({
    scalar: componentType,
    result: resultComponentType,
    M,
    N,
    K,
  }));
}

const size = open?.description.subgroupMaxSize ?? 32;
const programs = hasMatrices
  ? configsOf(open!.adapter).flatMap((config) =>
      subgroupMatrixPrograms(config, size).map((program) => ({ ...program, result: config.result })),
    )
  : [];

describe.skipIf(!hasMatrices)('subgroup matrices', () => {
  it('are there in some configuration', () => {
    expect(programs.length).toBeGreaterThan(0);
  });

  // Every sum in these programs is exact in whatever order it is added up, so that both must give the same numbers.
  it.each(programs)('$name gives what the device gives', async ({ code, invocations, inputs, results, result }) => {
    const plan = modulePlan(code, { inputs: inputs.byteLength, results: results.byteLength }, invocations);
    const words = [inputs, results];
    const here = lastWords(simulatedModule(plan, { recording: bare, words, subgroupSize: size }));
    const there = new Int32Array((await resultsOnDevice(open!.device, code, words)).buffer as ArrayBuffer);
    expect(numbersOf(result, there)).toEqual(numbersOf(result, here));
  });
});
