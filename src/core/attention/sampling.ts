/** All indices below `total`, or where that exceeds `count` that many of them, evenly spread, first and last included. */
export function spread(total: number, count: number): Uint32Array {
  const wanted = Math.min(total, Math.max(2, Math.floor(count)));
  if (wanted === total) return Uint32Array.from({ length: total }, (_, index) => index);
  const step = (total - 1) / (wanted - 1);
  return Uint32Array.from({ length: wanted }, (_, index) => Math.round(index * step));
}

/** The rows of the chosen groups (heads, say) in a tensor that has `perGroup` rows for each group. */
export function rowsOfGroups(chosen: Uint32Array, perGroup: number): Uint32Array {
  const rows = new Uint32Array(chosen.length * perGroup);
  chosen.forEach((group, place) => {
    for (let row = 0; row < perGroup; row++) rows[place * perGroup + row] = group * perGroup + row;
  });
  return rows;
}
