import type { WorkgroupLog } from '../simulator/trace.js';

/** Where the accesses of a segment end. */
export function segmentEnd({ segments, segmentStart, count }: WorkgroupLog, segment: number): number {
  return segment + 1 < segments ? segmentStart[segment + 1]! : count;
}

/** The segments of a log by index, in the order of `keys` (one for each segment, the least significant ones first). */
export function orderSegments(log: WorkgroupLog, keys: readonly (Uint16Array | Uint32Array)[]): Uint32Array {
  let order = new Uint32Array(log.segments);
  for (let segment = 0; segment < order.length; segment++) order[segment] = segment;
  // Each round is stable, so that it keeps the order of the rounds before.
  for (const key of keys) order = stableSort(order, key);
  return order;
}

/** Counting sort where the keys are dense enough for it; else the runtime's sort. Both keep the order of equal keys. */
function stableSort(order: Uint32Array<ArrayBuffer>, keys: Uint16Array | Uint32Array): Uint32Array<ArrayBuffer> {
  let largest = 0;
  let before = 0;
  let ascends = true;
  for (let at = 0; at < order.length; at++) {
    const key = keys[order[at]!]!;
    if (key > largest) largest = key;
    if (key < before) ascends = false;
    before = key;
  }
  if (ascends) return order;
  if (largest > 4 * order.length + 1024) return Uint32Array.from([...order].sort((a, b) => keys[a]! - keys[b]!));
  const next = new Uint32Array(largest + 2);
  for (let at = 0; at < order.length; at++) next[keys[order[at]!]! + 1]!++;
  for (let value = 1; value < next.length; value++) next[value]! += next[value - 1]!;
  const sorted = new Uint32Array(order.length);
  for (let at = 0; at < order.length; at++) {
    const segment = order[at]!;
    sorted[next[keys[segment]!]!++] = segment;
  }
  return sorted;
}
