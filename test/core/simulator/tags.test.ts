import { describe, expect, it } from 'vitest';
import { tagEnvironment } from '../../../src/core/simulator/tags.js';
import type { Provenance } from '../../../src/core/simulator/trace.js';

const rowLength = 8;
const madeFrom = 1000;

/** Words are alike in a row; what is asked for is counted by row, as a recorder counts multiply-adds. */
function counting(repeats: boolean): { readonly provenance: Provenance; readonly counts: Map<string, number> } {
  const counts = new Map<string, number>();
  const kind = (tag: number): number => (tag < madeFrom ? Math.floor(tag / rowLength) : tag);
  const count = (name: string, a: number, b: number, times: number): void => {
    const key = `${name} ${kind(a)} ${kind(b)}`;
    counts.set(key, (counts.get(key) ?? 0) + times);
  };
  const provenance: Provenance = {
    base: new Int32Array(0),
    madeFrom,
    alike: (first, last) => last < madeFrom && kind(first) === kind(last),
    repeats,
    // A word joined with one of its row stays what it is; a product with an even row says nothing new of an odd one.
    join: (a, b, times = 1) => {
      count('join', a, b, times);
      return a < madeFrom && kind(a) === kind(b) ? a : madeFrom + ((kind(a) * 31 + kind(b)) % 500);
    },
    multiply: (a, b, times = 1) => {
      if (a < madeFrom && kind(a) % 3 === 0) return a;
      count('multiply', a, b, times);
      return madeFrom + 500 + ((kind(a) * 37 + kind(b)) % 500);
    },
    stage: () => undefined,
    store: () => undefined,
    move: () => undefined,
    epochEnd: () => undefined,
  };
  return { provenance, counts };
}

type Scalar = (...tags: number[]) => number;
interface Functions {
  readonly TL: Int32Array;
  readonly join: Scalar;
  readonly multiply: Scalar;
  readonly accumulate: Scalar;
  readonly joinLanes: Scalar;
  readonly multiplyLanes: Scalar;
  readonly accumulateLanes: Scalar;
  readonly dotTag: Scalar;
  readonly storeLanes: (tags: Int32Array, memory: number, place: number, ...lanes: number[]) => void;
}

function functionsOf(repeats: boolean): {
  readonly functions: Functions;
  readonly counts: Map<string, number>;
  readonly told: Map<number, number>;
} {
  const { provenance, counts } = counting(repeats);
  const told = new Map<number, number>();
  const tell = (_memory: number, tag: number, bytes: number): void => {
    const kind = tag < madeFrom ? Math.floor(tag / rowLength) : tag;
    told.set(kind, (told.get(kind) ?? 0) + bytes);
  };
  return { functions: tagEnvironment(provenance, tell) as Functions, counts, told };
}

let seed = 7;
const random = (below: number): number => (seed = (seed * 48271) % 2147483647) % below;

/** Four tags as vectors have them: none, words side by side, one tag, or anything. */
function lanes(): number[] {
  const first = 8 + random(90);
  switch (random(5)) {
    case 0:
      return [0, 0, 0, 0];
    case 1:
      return [first, first + 1, first + 2, first + 3];
    case 2:
      return new Array<number>(4).fill(first);
    case 3:
      return new Array<number>(4).fill(madeFrom + random(4));
    default:
      return [random(2) * first, first + random(3), madeFrom + random(3), random(40)];
  }
}

describe.each([true, false])('the tags of a vector, where products repeat: %s', (repeats) => {
  const four = (functions: Functions, first: number): number[] => [first, ...functions.TL.slice(1)];
  const each = [0, 1, 2, 3];
  const product = ({ multiply }: Functions, a: number, b: number): number =>
    a === 0 ? b : b === 0 ? a : multiply(a, b);
  const sum = ({ join }: Functions, a: number, b: number): number =>
    a === b || b === 0 ? a : a === 0 ? b : join(a, b);

  it('are those of its components made one by one, and as much is counted', () => {
    const vectors = functionsOf(repeats);
    const scalars = functionsOf(repeats);
    for (let round = 0; round < 3000; round++) {
      const [s, a, b] = [lanes(), lanes(), lanes()];
      const { functions: fast } = vectors;
      const { functions: slow } = scalars;
      const why = JSON.stringify([s, a, b]);
      expect(four(fast, fast.joinLanes(...a, ...b)), why).toEqual(each.map((at) => sum(slow, a[at]!, b[at]!)));
      expect(four(fast, fast.multiplyLanes(...a, ...b)), why).toEqual(each.map((at) => product(slow, a[at]!, b[at]!)));
      expect(four(fast, fast.accumulateLanes(...s, ...a, ...b)), why).toEqual(
        each.map((at) => sum(slow, s[at]!, product(slow, a[at]!, b[at]!))),
      );
      expect(fast.dotTag(...a, ...b), why).toBe(
        each.slice(1).reduce((tag, at) => sum(slow, tag, product(slow, a[at]!, b[at]!)), product(slow, a[0]!, b[0]!)),
      );
    }
    // A sum of four products that are all the same asks for no join of it with itself, one by one or together.
    expect(Object.fromEntries(vectors.counts)).toEqual(Object.fromEntries(scalars.counts));
  });

  it('are told with all their bytes', () => {
    const { functions, told } = functionsOf(repeats);
    const memory = new Int32Array(8);
    functions.storeLanes(memory, 0, 2, 16, 17, 18, 19);
    functions.storeLanes(memory, 0, 4, 0, 24, 0, 1003);
    expect([...memory]).toEqual([0, 0, 16, 17, 0, 24, 0, 1003]);
    expect(Object.fromEntries(told)).toEqual({ 2: 16, 3: 4, 1003: 4 });
  });
});
