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

/** Outputs of one sequence each, [1, ...], as one output of all: [sequences, ...]. */
export function joinedSequences(parts: readonly ReferenceTensor[]): ReferenceTensor {
  const [, ...dims] = parts[0]?.dims ?? [];
  const rowsOf = (part: ReferenceTensor): number => part.dims.slice(0, -1).reduce((product, size) => product * size, 1);
  const rows: number[] = [];
  const exact: number[] = [];
  let computed = 0;
  parts.forEach((part, sequence) => {
    const count = part.rows?.length ?? rowsOf(part);
    const first = sequence * rowsOf(part);
    for (let at = 0; at < count; at++) rows.push(first + (part.rows?.[at] ?? at));
    for (const row of part.exactRows ?? []) exact.push(computed + row);
    computed += count;
  });
  return {
    dims: [parts.length, ...dims],
    rows: parts.every((part) => part.rows === null) ? null : Uint32Array.from(rows),
    values: joined(parts.map(({ values }) => Float64Array.from(values))),
    exactRows: exact.length > 0 ? Uint32Array.from(exact) : null,
  };
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
