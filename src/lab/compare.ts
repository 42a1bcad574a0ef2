import { caseProgress, CompareBook, comparedCases } from './compare-report.js';
import type { CaseOverride, CompareReport, KernelSource } from './contract.js';
import { readyKernel } from './prepare.js';
import { verifyCase } from './verify.js';
import { breathe, type Bench } from './workbench.js';

/** The verdict on a kernel: on the case an override asks for, else on the file's own shape and then on its cases. */
export async function compare(
  bench: Bench,
  source: KernelSource,
  override: CaseOverride | null,
  seed: number,
): Promise<CompareReport> {
  const book = new CompareBook();
  const ready = readyKernel(source);
  const cases = comparedCases(ready, override);
  for (const [index, theCase] of cases.entries()) {
    bench.report(caseProgress(cases, index));
    await breathe(bench);
    book.add(await verifyCase(bench, ready, theCase, { seed }, true));
  }
  return book.report(source.name, ready, seed, bench.info);
}
