import type { CompiledPass } from './compiled.js';
import type { Provenance } from './trace.js';

/** Tells of a value with a tag other than 0 that was stored to a memory (its index in the pass). */
export type TagTeller = (memory: number, tag: number, bytes: number) => void;

/** Tells the provenance of stores, by the index of the memory in the pass. */
export function tagTeller({ memories }: CompiledPass, provenance: Provenance | null): TagTeller {
  const workgroupIndex = new Map<number, number>();
  for (const [index, { space }] of memories.entries()) {
    if (space === 'workgroup') workgroupIndex.set(index, workgroupIndex.size);
  }
  return (memory, tag, bytes) => {
    const own = workgroupIndex.get(memory);
    if (own === undefined) provenance?.store(memories[memory]!.buffer!, tag, bytes);
    else provenance?.stage(own, tag, bytes);
  };
}

/**
 * What generated code makes tags with. Kernels work on vectors, whose components mostly come from one row of a tensor or
 * have one tag: then what is asked for once, four times over, is true of all four. The functions named after lanes take
 * four tags of each operand, return the first result and leave the others in `TL`.
 */
export function tagEnvironment({ join, multiply, alike, repeats, madeFrom }: Provenance, tell: TagTeller): object {
  const TL = new Int32Array(4);

  const fill = (l0: number, l1: number, l2: number, l3: number): number => {
    TL[1] = l1;
    TL[2] = l2;
    TL[3] = l3;
    return l0;
  };

  const same = (l0: number, l1: number, l2: number, l3: number): boolean => l0 === l1 && l0 === l2 && l0 === l3;

  /** Whether products with them are alike: one tag, or neighbours in a row. */
  const uniform = (l0: number, l1: number, l2: number, l3: number): boolean =>
    repeats && (same(l0, l1, l2, l3) || (l1 === l0 + 1 && l2 === l0 + 2 && l3 === l0 + 3 && alike(l0, l3)));

  const joined = (a: number, b: number, times: number): number =>
    a === b || b === 0 ? a : a === 0 ? b : join(a, b, times);

  const product = (a: number, b: number): number => (a === 0 ? b : b === 0 ? a : multiply(a, b, 1));

  /** The tag of a sum to which a product is added of which at least one factor has a tag. */
  const accumulate = (sum: number, a: number, b: number): number => joined(sum, product(a, b), 1);

  /** The tag of all four products, or 0 where they differ: where the tag of a word goes on, that of each lane does. */
  const sharedProduct = (
    a0: number,
    a1: number,
    a2: number,
    a3: number,
    b0: number,
    b1: number,
    b2: number,
    b3: number,
  ): number => {
    if (a0 === 0 || b0 === 0 || !uniform(a0, a1, a2, a3) || !uniform(b0, b1, b2, b3)) return 0;
    const tag = multiply(a0, b0, 4);
    return tag >= madeFrom ? tag : 0;
  };

  return {
    TL,
    join,
    multiply,
    accumulate,
    joinLanes: (
      a0: number,
      a1: number,
      a2: number,
      a3: number,
      b0: number,
      b1: number,
      b2: number,
      b3: number,
    ): number => {
      if (repeats && same(a0, a1, a2, a3) && same(b0, b1, b2, b3)) {
        const tag = joined(a0, b0, 4);
        return fill(tag, tag, tag, tag);
      }
      return fill(joined(a0, b0, 1), joined(a1, b1, 1), joined(a2, b2, 1), joined(a3, b3, 1));
    },
    multiplyLanes: (
      a0: number,
      a1: number,
      a2: number,
      a3: number,
      b0: number,
      b1: number,
      b2: number,
      b3: number,
    ): number => {
      const shared = sharedProduct(a0, a1, a2, a3, b0, b1, b2, b3);
      if (shared !== 0) return fill(shared, shared, shared, shared);
      return fill(product(a0, b0), product(a1, b1), product(a2, b2), product(a3, b3));
    },
    accumulateLanes: (
      s0: number,
      s1: number,
      s2: number,
      s3: number,
      a0: number,
      a1: number,
      a2: number,
      a3: number,
      b0: number,
      b1: number,
      b2: number,
      b3: number,
    ): number => {
      const shared = sharedProduct(a0, a1, a2, a3, b0, b1, b2, b3);
      if (shared === 0) {
        return fill(accumulate(s0, a0, b0), accumulate(s1, a1, b1), accumulate(s2, a2, b2), accumulate(s3, a3, b3));
      }
      if (!same(s0, s1, s2, s3)) {
        return fill(joined(s0, shared, 1), joined(s1, shared, 1), joined(s2, shared, 1), joined(s3, shared, 1));
      }
      const tag = joined(s0, shared, 4);
      return fill(tag, tag, tag, tag);
    },
    dotTag: (
      a0: number,
      a1: number,
      a2: number,
      a3: number,
      b0: number,
      b1: number,
      b2: number,
      b3: number,
    ): number => {
      const shared = sharedProduct(a0, a1, a2, a3, b0, b1, b2, b3);
      if (shared !== 0) return shared;
      return accumulate(accumulate(accumulate(product(a0, b0), a1, b1), a2, b2), a3, b3);
    },
    tagged: tell,
    /** Stores the tags of a vector and tells of them. */
    storeLanes: (
      tags: Int32Array,
      memory: number,
      place: number,
      t0: number,
      t1: number,
      t2: number,
      t3: number,
    ): void => {
      tags[place] = t0;
      tags[place + 1] = t1;
      tags[place + 2] = t2;
      tags[place + 3] = t3;
      if (t0 !== 0 && uniform(t0, t1, t2, t3)) {
        tell(memory, t0, 16);
        return;
      }
      if (t0 !== 0) tell(memory, t0, 4);
      if (t1 !== 0) tell(memory, t1, 4);
      if (t2 !== 0) tell(memory, t2, 4);
      if (t3 !== 0) tell(memory, t3, 4);
    },
  };
}
