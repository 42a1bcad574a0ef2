import { elementStates } from '../core/numerics/element-errors.js';
import { unpackTensor } from '../core/kernel/tensor.js';
import { timeOnce } from '../gpu/timing.js';
import type { OutputBytes } from '../gpu/run.js';
import type { CaseOverride, KernelSource, RunReport } from './contract.js';
import { unwrap } from './failure.js';
import { chosenCase, planCase, readyKernel } from './prepare.js';
import { storedInputs } from './truth.js';
import { loadPlan } from './verify.js';
import { breathe, type Bench } from './workbench.js';

const headLength = 8;
const runSeed = 1;

/** Runs a kernel once at its own shape, or at the override's, and looks at what it wrote. Nothing is compared. */
export async function run(bench: Bench, source: KernelSource, override: CaseOverride | null): Promise<RunReport> {
  const ready = readyKernel(source);
  const { shape, options, ...theCase } = chosenCase(ready, override);
  const plan = planCase(ready, { ...theCase, shape, options });
  bench.report({ message: 'running', fraction: null });
  await breathe(bench);
  const inputs = storedInputs(plan, ready.computation.generate(shape, options, runSeed));
  const loaded = await loadPlan(bench, ready, plan, inputs);
  try {
    const outputs = unwrap(await loaded.run(bench.patience)).map(summary);
    const gpuTimeNs = unwrap(await timeOnce(bench.open, loaded.bound, bench.patience));
    return { hash: plan.hash, kernel: source.name, shape, options, gpuTimeNs, outputs, device: bench.info };
  } finally {
    loaded.dispose();
  }
}

function summary({ planned, bytes }: OutputBytes): RunReport['outputs'][number] {
  if (planned.content.kind !== 'tensor') throw new Error(`"${planned.variable}" is no output.`);
  const { tensor, view } = planned.content;
  const { values, states } = unpackTensor(view, bytes);
  const counts = { finite: 0, nan: 0, infinite: 0, unwritten: 0 };
  let [min, max, sum] = [Infinity, -Infinity, 0];
  values.forEach((value, at) => {
    switch (states[at]) {
      case elementStates.nan:
        counts.nan++;
        return;
      case elementStates.infinite:
        counts.infinite++;
        return;
      case elementStates.unwritten:
        counts.unwritten++;
        return;
      default:
        counts.finite++;
        min = Math.min(min, value);
        max = Math.max(max, value);
        sum += value;
    }
  });
  const { finite, ...others } = counts;
  const some = finite > 0;
  const head = Array.from(values.subarray(0, headLength), (value) => (Number.isFinite(value) ? value : null));
  return {
    name: tensor,
    dims: view.dims,
    min: some ? min : null,
    max: some ? max : null,
    mean: some ? sum / finite : null,
    ...others,
    head,
  };
}
