import type { Span } from '../diagnostic.js';
import type { Statement } from '../wgsl/program.js';
import type { HazardFix, TextEdit } from './hazard.js';
import { insertAfter, insertBefore } from './hazard-fixes.js';
import type { ProgramIndex } from './program-index.js';

/** Which of two sites an invocation comes by first: the first then the second, the other way round, or both. */
export interface SiteOrder {
  readonly forward: boolean;
  readonly backward: boolean;
}

/** A site as the program index knows it. */
export interface SourcePlace {
  readonly functionName: string;
  readonly span: Span;
}

/** A place for a barrier: before the statement of this index, or at the end of the block. */
export interface BarrierSpot {
  readonly block: readonly Statement[];
  readonly index: number;
}

/** Barriers to insert: the change, and where that is in the program. */
export interface BarrierFix extends HazardFix {
  readonly spots: readonly BarrierSpot[];
}

/**
 * Barriers that part two places, in the order in which invocations come by them. Null where there is no such place that
 * all invocations of a workgroup reach together.
 */
export function barrierFix(
  source: string,
  index: ProgramIndex,
  first: SourcePlace,
  second: SourcePlace,
  order: SiteOrder,
  space: 'workgroup' | 'storage',
): BarrierFix | null {
  const barrier = space === 'workgroup' ? 'workgroupBarrier();' : 'storageBarrier();';
  const levels = commonLevels(index, first, second);
  for (let depth = levels.length - 1; depth >= 0; depth--) {
    const { block, firstIndex, secondIndex } = levels[depth]!;
    const inLoop = levels.slice(0, depth + 1).some(({ loop }) => loop !== null);
    /** Where a barrier between the statements `from` and then `to` goes; a loop leads from a later one to an earlier one. */
    const between = (from: number, to: number): BarrierSpot | null => {
      if (from >= to && !inLoop) return null;
      const spot = { block, index: from < to ? to : from + 1 };
      return index.uniformity.reachedTogether(block[from < to ? to : from]!) ? spot : null;
    };
    const wanted: (BarrierSpot | null)[] = [];
    if (order.forward || firstIndex === secondIndex) wanted.push(between(firstIndex, secondIndex));
    if (order.backward && firstIndex !== secondIndex) wanted.push(between(secondIndex, firstIndex));
    const spots = wanted.filter((spot) => spot !== null);
    if (spots.length === 0 || spots.length < wanted.length) continue;
    const title = spots.length > 1 ? `Insert ${spots.length} barriers` : `Insert ${barrier}`;
    return { title, edits: spots.map((spot) => insertAt(source, spot, barrier)), spots };
  }
  return null;
}

function insertAt(source: string, { block, index }: BarrierSpot, barrier: string): TextEdit {
  const next = block[index];
  return next ? insertBefore(source, next, barrier) : insertAfter(source, block[index - 1]!, barrier);
}

/** Whether barriers at these spots part two places as well, in every order in which invocations come by them. */
export function partedBy(
  index: ProgramIndex,
  spots: readonly BarrierSpot[],
  first: SourcePlace,
  second: SourcePlace,
  order: SiteOrder,
): boolean {
  const parts = (from: SourcePlace, to: SourcePlace): boolean => spots.some((spot) => isBetween(index, spot, from, to));
  return (!order.forward || parts(first, second)) && (!order.backward || parts(second, first));
}

/**
 * Whether control cannot get from one place to another without coming by a spot: the first stands before the spot in
 * its block and the other outside of that block, or the other way round.
 */
function isBetween(index: ProgramIndex, spot: BarrierSpot, from: SourcePlace, to: SourcePlace): boolean {
  const stepsIn = (place: SourcePlace): readonly (number | null)[] =>
    index
      .pathsTo(place.functionName, place.span)
      .map((path) => path.find(({ block }) => block === spot.block)?.index ?? null);
  const [before, after] = [stepsIn(from), stepsIn(to)];
  const outside = (steps: readonly (number | null)[]): boolean => steps.every((step) => step === null);
  const left = before.every((step) => step !== null && step < spot.index);
  const right = after.every((step) => step !== null && step >= spot.index);
  return (left && (right || outside(after))) || (right && outside(before));
}

/** A block on the way to both places, and the statements of it that lead to either. */
interface CommonLevel {
  readonly block: readonly Statement[];
  readonly loop: Statement | null;
  readonly firstIndex: number;
  readonly secondIndex: number;
}

/** The blocks that the ways to both places share, outermost first; of all chains of calls those that share most. */
function commonLevels(index: ProgramIndex, first: SourcePlace, second: SourcePlace): readonly CommonLevel[] {
  let best: CommonLevel[] = [];
  for (const a of index.pathsTo(first.functionName, first.span)) {
    for (const b of index.pathsTo(second.functionName, second.span)) {
      const levels: CommonLevel[] = [];
      for (const [depth, step] of a.entries()) {
        const other = b[depth];
        if (other?.block !== step.block) break;
        levels.push({ block: step.block, loop: step.loop, firstIndex: step.index, secondIndex: other.index });
        if (step.index !== other.index) break;
      }
      if (levels.length > best.length) best = levels;
    }
  }
  return best;
}
