import type { ReferenceTensor } from './mechanism.js';

/** All indices below `total`, or where that exceeds `count` that many of them, evenly spread, first and last included. */
export function spread(total: number, count: number): Uint32Array {
  const wanted = Math.min(total, Math.max(2, Math.floor(count)));
  if (wanted === total) return Uint32Array.from({ length: total }, (_, index) => index);
  const step = (total - 1) / (wanted - 1);
  return Uint32Array.from({ length: wanted }, (_, index) => Math.round(index * step));
}

/** The rows of the chosen groups (heads, say) in a tensor that has `perGroup` rows for each group. */
function rowsOfGroups(chosen: Uint32Array, perGroup: number): Uint32Array {
  const rows = new Uint32Array(chosen.length * perGroup);
  chosen.forEach((group, place) => {
    for (let row = 0; row < perGroup; row++) rows[place * perGroup + row] = group * perGroup + row;
  });
  return rows;
}

/** The values of parts one after another. */
export function joined(parts: readonly Float64Array[]): Float64Array {
  const values = new Float64Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    values.set(part, at);
    at += part.length;
  }
  return values;
}

/** An output of which the chosen ones of `total` groups (heads, say) were computed, `perGroup` rows of each. */
export function tensorOfGroups(
  values: Float64Array,
  dims: readonly number[],
  chosen: Uint32Array,
  total: number,
  perGroup: number,
): ReferenceTensor {
  const rows = chosen.length === total ? null : rowsOfGroups(chosen, perGroup);
  return { dims, rows, values, exactRows: null };
}
