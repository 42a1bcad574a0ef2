import type { KernelCase } from '../core/kernel/model.js';
import type { CaseOverride, CaseVerdict, CompareReport, DeviceInfo, Progress } from './contract.js';
import { chosenCase, type ReadyKernel } from './prepare.js';

/** Characters of base64 that the error maps of one report may take together. */
const mapBudget = 4_000_000;

/** The cases of a comparison: the one an override asks for, else the file's own shape and then its other cases. */
export function comparedCases(ready: ReadyKernel, override: CaseOverride | null): readonly KernelCase[] {
  const own = chosenCase(ready, override);
  return override ? [own] : [own, ...otherCases(ready, own)];
}

/** The cases of a kernel but the one given, which stands first and is not run again. */
export function otherCases({ kernel }: ReadyKernel, own: KernelCase): readonly KernelCase[] {
  return kernel.cases.filter((theCase) => caseKey(theCase) !== caseKey(own));
}

/** The same text for cases of the same shape and options. */
export function caseKey({ shape, options }: KernelCase): string {
  return JSON.stringify([shape, options]);
}

/** How far a comparison is before one of its cases. */
export function caseProgress(cases: readonly KernelCase[], index: number): Progress {
  const message = `case ${index + 1} of ${cases.length}: ${cases[index]!.name}`;
  return { message, fraction: index / cases.length };
}

/** Puts the verdicts of a comparison together, case after case. */
export class CompareBook {
  private readonly verdicts: CaseVerdict[] = [];
  private readonly start = performance.now();
  private mapsLeft = mapBudget;

  /** Adds a verdict. Error maps are kept for the first case and for those that fail, as far as the budget reaches. */
  add(verdict: CaseVerdict): void {
    const size = mapSize(verdict);
    const keep = (this.verdicts.length === 0 || !verdict.passed) && size <= this.mapsLeft;
    if (keep) this.mapsLeft -= size;
    this.verdicts.push(keep ? verdict : withoutMaps(verdict));
  }

  /** The report on a kernel that was run on `device` with inputs from `seed`. */
  report(name: string, ready: ReadyKernel, seed: number, device: DeviceInfo): CompareReport {
    const { kernel, mechanism, computation } = ready;
    return {
      hash: kernel.hash,
      kernel: name,
      mechanism: mechanism.id,
      direction: computation.direction,
      passed: this.verdicts.every(({ passed }) => passed),
      sentence: reportSentence(this.verdicts),
      cases: this.verdicts,
      seed,
      device,
      tiles: tilesOf(ready),
      elapsedMs: performance.now() - this.start,
    };
  }
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
