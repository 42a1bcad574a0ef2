import type { HazardKind } from '../../../src/core/analysis/hazard.js';

/** A right kernel with one fault planted in it. */
export interface PlantedFault {
  readonly name: string;
  /** The right kernel, from the root of the project. */
  readonly file: string;
  /** Texts that stand exactly once in the kernel, and what the fault makes of them. */
  readonly edits: readonly { readonly find: string; readonly replace: string }[];
  readonly kind: HazardKind;
  /** Text that stands on one line of the faulty kernel alone: the line where the hazard must be found. */
  readonly at: string;
  /** Lines with further hazards of the same kind that the one fault leads to. */
  readonly alsoAt?: readonly string[];
  /** The sizes that show it; the others are the kernel's own, shrunk. */
  readonly shape?: Readonly<Record<string, number>>;
  readonly options?: Readonly<Record<string, number | boolean | string>>;
  /** Whether a quick fix mends it. */
  readonly mended?: boolean;
}

/** A fault as its table has it. */
export type Planted = Omit<PlantedFault, 'file' | 'kind'>;

export const naive = 'shaders/softmax/naive.wgsl';
export const flash = 'shaders/softmax/flash.wgsl';
export const leftProduct = 'shaders/linear/left-product.wgsl';
export const rightProduct = 'shaders/linear/right-product.wgsl';
export const lightning1 = 'shaders/lightning/lightning1.wgsl';
export const lightning2 = 'shaders/lightning/lightning2.wgsl';
export const subgroupShuffle = 'test/kernels/styles/subgroup-shuffle.wgsl';
export const subgroupSum = 'test/kernels/styles/subgroup-sum.wgsl';
export const packedHalves = 'test/kernels/styles/packed-halves.wgsl';
export const macroSplit = 'test/kernels/styles/macro-split.wgsl';
export const tilePointers = 'test/kernels/styles/tile-pointers.wgsl';
export const threeEntries = 'test/kernels/styles/three-entries.wgsl';
export const treeSoftmax = 'test/kernels/hazards/tree-softmax.wgsl';
export const tokenByToken = 'test/kernels/hazards/token-by-token.wgsl';
export const scoresInStorage = 'test/kernels/hazards/scores-in-storage.wgsl';
export const matrixSoftmax = 'test/kernels/matrix/softmax.wgsl';

/** Faults of one kind in one kernel. */
export function planted(kind: HazardKind, file: string, faults: readonly Planted[]): PlantedFault[] {
  return faults.map((fault) => ({ ...fault, kind, file }));
}
