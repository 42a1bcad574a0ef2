/** What the templates that take the keys one tile after another say of themselves. */
export const rowsComment = `// One workgroup per query and block of TILE_N value columns. It takes TILE_N keys at a time: first each invocation finds
// the weight of one key, then each adds the weighted values of one column. A place to start from: right on every
// device, and slow, because keys and values are read anew for every query.`;

/** The step over the keys that linear and lightning attention share: only the weight of a key differs. */
const weighedSum = `  for (var first = 0u; first < keys; first += TILE_N) {
    let key = first + lane;
    var weight = 0.0;
    if (key < keys) {
      for (var d = 0u; d < params.WIDTH; d++) {
        weight += PRODUCT;
      }
    }
    weights[lane] = WEIGHT;
    workgroupBarrier();

    for (var j = 0u; j < min(TILE_N, keys - first); j++) {
      ADD
      if (column < params.head_dim_v) {
        numerator += weights[j] * v[(first_row + first + j) * params.head_dim_v + column];
      }
    }
    workgroupBarrier();
  }`;

/** The step over the keys with its three parts filled in; `width` is the member of params that counts what a weight sums over. */
export function weighKeys(parts: Readonly<Record<'PRODUCT' | 'WEIGHT' | 'ADD', string>>, width = 'head_dim'): string {
  const text = weighedSum
    .replace('WIDTH', width)
    .replace(/\b(?:PRODUCT|WEIGHT|ADD)\b/g, (name) => parts[name as keyof typeof parts]);
  return text.replace(/^ *\n(?= *if \(column)/m, '');
}
