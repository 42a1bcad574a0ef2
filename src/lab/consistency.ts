import type { CompiledKernel } from '../gpu/compile.js';
import type { OutputBytes } from '../gpu/run.js';
import { planConsistency } from './consistency-plan.js';
import { runChecks, type RunRequest } from './consistency-run.js';
import type { CaseOverride, ConsistencyReport, KernelSource } from './contract.js';
import { unwrap } from './failure.js';
import { compilePlan, loadCompiled } from './verify.js';
import { breathe, type Bench } from './workbench.js';

/** Whether kernels of one mechanism agree with each other and with themselves, on the device. */
export async function consistency(
  bench: Bench,
  sources: readonly KernelSource[],
  override: CaseOverride | null,
  seed: number,
): Promise<ConsistencyReport> {
  const compiled = new Map<string, CompiledKernel>();
  const running = runChecks(planConsistency(sources, override), seed, bench.info);
  let step = running.next();
  while (!step.done) {
    const request = step.value;
    bench.report(request.progress);
    await breathe(bench);
    let outputs: readonly OutputBytes[];
    try {
      outputs = await runOnce(bench, request, compiled);
    } catch (error) {
      step = running.throw(error);
      continue;
    }
    step = running.next(outputs);
  }
  return step.value;
}

/** One run; kernels at a case that was run before are not compiled again. */
async function runOnce(
  bench: Bench,
  { key, ready, plan, inputs }: RunRequest,
  compiled: Map<string, CompiledKernel>,
): Promise<readonly OutputBytes[]> {
  const kernel = compiled.get(key) ?? (await compilePlan(bench, ready, plan));
  compiled.set(key, kernel);
  const loaded = await loadCompiled(bench, kernel, inputs);
  try {
    return unwrap(await loaded.run(bench.patience));
  } finally {
    loaded.dispose();
  }
}
