import type { SyncPoint } from './emit-context.js';
import type { Machine } from './machine.js';
import { f16 } from './numerics.js';

/** Numbers that one invocation may bring to a subgroup operation or take from it. */
export const exchangeWidth = 8;

type Scalar = SyncPoint['scalar'];
type Combine = (a: number, b: number) => number;

/** The invocations that meet at one operation, and where their operands stand. */
interface Meeting {
  readonly machine: Machine;
  readonly point: SyncPoint;
  /** Local indices, ascending. */
  readonly active: readonly number[];
  /** Local index of the subgroup's first invocation. */
  readonly first: number;
}

function rounding(scalar: Scalar): (value: number) => number {
  if (scalar === 'f32') return Math.fround;
  if (scalar === 'f16') return f16;
  return (value) => value | 0;
}

function isGreater(scalar: Scalar): (a: number, b: number) => boolean {
  return scalar === 'u32' ? (a, b) => a >>> 0 > b >>> 0 : (a, b) => a > b;
}

/** What a reduction or scan does with two values. Integers are int32 whatever their type. */
function combineOf(what: string, scalar: Scalar): Combine | null {
  const round = rounding(scalar);
  const greater = isGreater(scalar);
  switch (what) {
    case 'Add':
      return (a, b) => round(a + b);
    case 'Mul':
      return scalar === 'f32' || scalar === 'f16' ? (a, b) => round(a * b) : Math.imul;
    case 'Min':
      return (a, b) => (greater(a, b) ? b : a);
    case 'Max':
      return (a, b) => (greater(b, a) ? b : a);
    case 'And':
      return (a, b) => a & b;
    case 'Or':
      return (a, b) => a | b;
    case 'Xor':
      return (a, b) => a ^ b;
    default:
      return null;
  }
}

const operand = ({ machine }: Meeting, inv: number, index: number): number =>
  machine.exchange[inv * exchangeWidth + index]!;

/** Puts the results of all active invocations in place of their operands, once they are all known. */
function answer(meeting: Meeting, width: number, result: (inv: number, index: number) => number): void {
  const { active, machine } = meeting;
  const results = active.map((inv) => Array.from({ length: width }, (_, index) => result(inv, index)));
  for (const [at, inv] of active.entries()) machine.exchange.set(results[at]!, inv * exchangeWidth);
}

function answerTags(meeting: Meeting, width: number, result: (inv: number, index: number) => number): void {
  const { active, machine } = meeting;
  if (!machine.mode.tags) return;
  const results = active.map((inv) => Array.from({ length: width }, (_, index) => result(inv, index)));
  for (const [at, inv] of active.entries()) machine.exchangeTags.set(results[at]!, inv * exchangeWidth);
}

/** Every active invocation takes the operand of another one; 0 where that one is not active. */
function exchange(meeting: Meeting, sourceOf: (inv: number) => number): void {
  const { active, machine, point } = meeting;
  const there = new Set(active);
  const from = new Map(active.map((inv) => [inv, sourceOf(inv)]));
  const taken =
    (values: Float64Array | Int32Array) =>
    (inv: number, index: number): number => {
      const source = from.get(inv)!;
      return there.has(source) ? values[source * exchangeWidth + index]! : 0;
    };
  // Tags first: they are looked up by where the values come from, not by the values.
  answerTags(meeting, point.width, taken(machine.exchangeTags));
  answer(meeting, point.width, taken(machine.exchange));
}

/** Sum, product, minimum and so on over all active invocations, or over those before each one. */
function reduce(meeting: Meeting, what: string, scan: 'all' | 'inclusive' | 'exclusive'): boolean {
  const { active, machine, point } = meeting;
  const combine = combineOf(what, point.scalar);
  if (combine === null) return false;
  const neutral = what === 'Mul' ? 1 : 0;
  const { provenance } = machine;
  const tagged = (a: number, b: number): number => {
    if (a === 0 || b === 0) return a + b;
    if (what === 'Mul') return provenance?.multiply(a, b) ?? 0;
    return a === b ? a : (provenance?.join(a, b) ?? 0);
  };
  const fold = (values: Float64Array | Int32Array, merge: Combine, start: number) => {
    const totals = Array.from({ length: point.width }, () => [] as number[]);
    for (const [index, own] of totals.entries()) {
      let total = start;
      for (const [at, inv] of active.entries()) {
        const value = values[inv * exchangeWidth + index]!;
        const next = at === 0 ? value : merge(total, value);
        own.push(scan === 'exclusive' ? (at === 0 ? start : total) : next);
        total = next;
      }
    }
    return (inv: number, index: number): number =>
      totals[index]![scan === 'all' ? active.length - 1 : active.indexOf(inv)]!;
  };
  answerTags(meeting, point.width, fold(machine.exchangeTags, tagged, 0));
  answer(meeting, point.width, fold(machine.exchange, combine, neutral));
  return true;
}

/** Answers a question about all predicates, the same for everybody. */
function vote(meeting: Meeting): boolean {
  const { active, point, first } = meeting;
  const yes = active.filter((inv) => operand(meeting, inv, 0) !== 0);
  switch (point.name) {
    case 'subgroupAll':
      answer(meeting, 1, () => Number(yes.length === active.length));
      return true;
    case 'subgroupAny':
      answer(meeting, 1, () => Number(yes.length > 0));
      return true;
    case 'subgroupElect':
      answer(meeting, 1, (inv) => Number(inv === active[0]));
      return true;
    case 'subgroupBallot': {
      const words = [0, 0, 0, 0];
      for (const inv of yes) words[(inv - first) >> 5]! |= 1 << ((inv - first) & 31);
      answer(meeting, 4, (_, index) => words[index]!);
      return true;
    }
    default:
      return false;
  }
}

/** The invocation whose value each one takes, for the operations that move values; null for others. */
function sourceFor(meeting: Meeting): ((inv: number) => number) | null {
  const { point, first, active } = meeting;
  const by = (inv: number): number => operand(meeting, inv, point.width) >>> 0;
  switch (point.name) {
    case 'subgroupBroadcast':
    case 'subgroupShuffle':
      return (inv) => first + by(inv);
    case 'subgroupBroadcastFirst':
      return () => active[0]!;
    case 'subgroupShuffleXor':
      return (inv) => first + ((inv - first) ^ by(inv));
    case 'subgroupShuffleUp':
      return (inv) => inv - by(inv);
    case 'subgroupShuffleDown':
      return (inv) => inv + by(inv);
    case 'quadBroadcast':
      return (inv) => first + ((inv - first) & ~3) + by(inv);
    case 'quadSwapX':
      return (inv) => first + ((inv - first) ^ 1);
    case 'quadSwapY':
      return (inv) => first + ((inv - first) ^ 2);
    case 'quadSwapDiagonal':
      return (inv) => first + ((inv - first) ^ 3);
    default:
      return null;
  }
}

/**
 * Gives the invocations that wait at one subgroup operation what they get, among those that are active. An invocation
 * that asks for the value of one that is not active gets 0; WGSL leaves it open.
 */
export function performSubgroup(machine: Machine, point: SyncPoint, active: readonly number[], first: number): void {
  const meeting: Meeting = { machine, point, active, first };
  if (point.name === 'subgroupBarrier' || vote(meeting)) return;
  const source = sourceFor(meeting);
  if (source !== null) {
    exchange(meeting, source);
    return;
  }
  const [, scan, what] = /^subgroup(Inclusive|Exclusive)?(\w+)$/.exec(point.name) ?? [];
  const kind = scan === undefined ? 'all' : scan === 'Inclusive' ? 'inclusive' : 'exclusive';
  if (!reduce(meeting, what ?? '', kind)) throw new Error(`There is no subgroup operation "${point.name}".`);
}

/** Whether the simulator has a subgroup operation of this name. */
export function isSubgroupOperation(name: string): boolean {
  return /^(subgroup(All|Any|Elect|Ballot|Broadcast|BroadcastFirst|Shuffle(Xor|Up|Down)?|Add|Mul|Min|Max|And|Or|Xor|(Inclusive|Exclusive)(Add|Mul))|quad(Broadcast|Swap(X|Y|Diagonal)))$/.test(
    name,
  );
}
