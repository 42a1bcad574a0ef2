import { spreadOf } from '../core/numerics/statistics.js';
import { measure } from '../gpu/timing.js';
import type { BenchmarkReport, CaseOverride, KernelSource } from './contract.js';
import { LabFault, unwrap } from './failure.js';
import { sameBits } from './judge.js';
import { chosenCase, readyKernel } from './prepare.js';
import { withVerifiedCase, type VerifiedCase } from './verify.js';
import { breathe, type Bench } from './workbench.js';

/**
 * The speed of a kernel at one shape: the override's, else the file's own. It is compared there first, and a kernel
 * that is wrong has no speed; after the last sample its outputs must still hold the bits that were found right.
 */
export async function benchmark(
  bench: Bench,
  source: KernelSource,
  override: CaseOverride | null,
  seed: number,
): Promise<BenchmarkReport> {
  const ready = readyKernel(source);
  const theCase = chosenCase(ready, override);
  bench.report({ message: 'comparing with the reference', fraction: null });
  await breathe(bench);
  return withVerifiedCase(bench, ready, theCase, { seed }, true, async (verified) => {
    const { verdict, plan, loaded } = verified;
    if (!verdict.passed) {
      throw wrongResult(
        `The kernel is wrong at this shape, so its speed is not measured: ${verdict.sentence}`,
        'Compare it with the reference to see where, and measure it once it is right.',
      );
    }
    bench.report({ message: 'warming up', fraction: null });
    const measured = unwrap(
      await measure(bench.open, loaded.bound, bench.patience, (fraction) =>
        bench.report({ message: 'measuring', fraction }),
      ),
    );
    await recheck(bench, verified);
    const { samples, passes, ...rest } = measured;
    return {
      hash: plan.hash,
      kernel: source.name,
      mechanism: ready.mechanism.id,
      direction: ready.computation.direction,
      shape: theCase.shape,
      options: theCase.options,
      gpuTimeNs: { ...spreadOf(samples), samples },
      ...rest,
      flops: plan.flops,
      compulsoryBytes: plan.compulsoryBytes,
      passes: passes && plan.passes.map(({ entry }, at) => ({ entry, medianNs: passes[at]! })),
      verdict,
      device: bench.info,
    };
  });
}

async function recheck({ patience }: Bench, { loaded, outputs }: VerifiedCase): Promise<void> {
  const after = unwrap(await loaded.read(patience));
  if (sameBits(outputs, after)) return;
  throw wrongResult(
    'The outputs changed while the kernel was timed: run again and again, it does not repeat the result that was right.',
    'Look for a race, or for a buffer that a run reads before it has written it.',
  );
}

function wrongResult(message: string, remedy: string): LabFault {
  return new LabFault({ kind: 'wrong-result', message, remedy, diagnostics: [] });
}
