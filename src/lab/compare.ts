import type { KernelCase } from '../core/kernel/model.js';
import type { CaseOverride, CaseVerdict, CompareReport, KernelSource } from './contract.js';
import { chosenCase, readyKernel, type ReadyKernel } from './prepare.js';
import { verifyCase } from './verify.js';
import { breathe, type Bench } from './workbench.js';

/** Characters of base64 that the error maps of one report may take together. */
const mapBudget = 4_000_000;

/**
 * The verdict on a kernel: on the case an override asks for, else on the file's own shape and then on its cases.
 * Error maps are kept for the first case and for those that fail, as far as the budget reaches.
 */
export async function compare(
  bench: Bench,
  source: KernelSource,
  override: CaseOverride | null,
  seed: number,
): Promise<CompareReport> {
  const start = performance.now();
  const ready = readyKernel(source);
  const cases = casesOf(ready, override);
  const verdicts: CaseVerdict[] = [];
  let mapsLeft = mapBudget;
  for (const [index, theCase] of cases.entries()) {
    bench.report({ message: `case ${index + 1} of ${cases.length}: ${theCase.name}`, fraction: index / cases.length });
    await breathe(bench);
    const verdict = await verifyCase(bench, ready, theCase, { seed }, true);
    const size = mapSize(verdict);
    const keep = (index === 0 || !verdict.passed) && size <= mapsLeft;
    if (keep) mapsLeft -= size;
    verdicts.push(keep ? verdict : withoutMaps(verdict));
  }
  const { kernel, mechanism, computation } = ready;
  return {
    hash: kernel.hash,
    kernel: source.name,
    mechanism: mechanism.id,
    direction: computation.direction,
    passed: verdicts.every(({ passed }) => passed),
    sentence: reportSentence(verdicts),
    cases: verdicts,
    seed,
    device: bench.info,
    tiles: tilesOf(ready),
    elapsedMs: performance.now() - start,
  };
}

/** The file's own shape stands first; a case of the grid that equals it is not run again. */
function casesOf(ready: ReadyKernel, override: CaseOverride | null): readonly KernelCase[] {
  const own = chosenCase(ready, override);
  if (override) return [own];
  const key = ({ shape, options }: KernelCase): string => JSON.stringify([shape, options]);
  return [own, ...ready.kernel.cases.filter((theCase) => key(theCase) !== key(own))];
}

function mapSize({ tensors }: CaseVerdict): number {
  return tensors.reduce((sum, { map }) => sum + (map ? map.errors.length + map.states.length : 0), 0);
}

function withoutMaps(verdict: CaseVerdict): CaseVerdict {
  return { ...verdict, tensors: verdict.tensors.map((tensor) => ({ ...tensor, map: null })) };
}

function reportSentence(verdicts: readonly CaseVerdict[]): string {
  const only = verdicts.length === 1 ? verdicts[0] : undefined;
  if (only) return `${only.passed ? 'Right' : 'Wrong'}: ${only.sentence}`;
  const wrong = verdicts.filter(({ passed }) => !passed);
  const first = wrong[0];
  if (!first) return `Right in all ${verdicts.length} cases.`;
  return `Wrong in ${wrong.length} of ${verdicts.length} cases, first in "${first.name}": ${first.sentence}`;
}

/** Overrides by whose value a picture can be divided into tiles. */
function tilesOf({ kernel }: ReadyKernel): CompareReport['tiles'] {
  return kernel.module.overrides.flatMap(({ name, defaultValue }) => {
    const given = kernel.constants[name];
    const size = typeof given === 'number' ? given : defaultValue;
    return /tile|chunk|block/i.test(name) && size !== null && size > 1 ? { name, size } : [];
  });
}
