import type { Comparison } from './element-errors.js';

/** How closely values must follow a pattern for it to be named: RMS of the rest over RMS of the values. */
const close = 2e-3;
const mostRowsTried = 12;

/**
 * A careful guess at what went wrong, drawn from the wrong values themselves: all zero, scaled by one factor, equal to
 * another row's or head's reference, or transposed. Null where nothing fits. Wrong elements must be finite.
 */
export function recogniseValues(comparison: Comparison, wrong: Uint8Array): string | null {
  return allZero(comparison, wrong) ?? scaled(comparison, wrong) ?? movedRows(comparison, wrong);
}

function allZero({ values, reference }: Comparison, wrong: Uint8Array): string | null {
  let zeros = 0;
  let count = 0;
  for (let at = 0; at < wrong.length; at++) {
    if (wrong[at] === 0 || reference[at] === 0) continue;
    count++;
    if (values[at] === 0) zeros++;
  }
  return count > 1 && zeros === count ? 'every wrong value is zero: it looks as if nothing was added there' : null;
}

function scaled({ values, reference }: Comparison, wrong: Uint8Array): string | null {
  let product = 0;
  let squares = 0;
  let count = 0;
  for (let at = 0; at < wrong.length; at++) {
    if (wrong[at] === 0 || !Number.isFinite(reference[at]!)) continue;
    product += values[at]! * reference[at]!;
    squares += reference[at]! ** 2;
    count++;
  }
  const factor = product / squares;
  if (count < 4 || !Number.isFinite(factor) || factor === 0) return null;
  let rest = 0;
  let energy = 0;
  for (let at = 0; at < wrong.length; at++) {
    if (wrong[at] === 0 || !Number.isFinite(reference[at]!)) continue;
    rest += (values[at]! - factor * reference[at]!) ** 2;
    energy += values[at]! ** 2;
  }
  if (Math.sqrt(rest) > close * Math.sqrt(energy)) return null;
  return Math.abs(factor + 1) < close
    ? 'every wrong value has the wrong sign'
    : `every wrong value looks like the right one times ${Number(factor.toPrecision(4))}`;
}

/** Rows are those of planes [rows, columns]; a plane is one index over the leading dimensions. */
interface Planes {
  readonly rows: number;
  readonly columns: number;
  readonly planes: number;
}

function movedRows(comparison: Comparison, wrong: Uint8Array): string | null {
  const { dims, columns } = comparison;
  if (columns < 4 || dims.length < 3) return null;
  const layout: Planes = { rows: dims.at(-2)!, columns, planes: wrong.length / (dims.at(-2)! * columns) };
  const tried = wrongRows(layout, wrong);
  if (tried.length === 0) return null;
  const enough = Math.max(1, Math.ceil(tried.length * 0.75));
  return (
    shiftedRow(comparison, layout, tried, enough) ??
    otherPlane(comparison, layout, tried, enough) ??
    shiftedColumn(comparison, layout, tried, enough) ??
    transposed(comparison, layout, tried, enough)
  );
}

/** Up to a dozen rows that are mostly wrong, spread over all of them. */
function wrongRows({ rows, columns, planes }: Planes, wrong: Uint8Array): readonly number[] {
  const found: number[] = [];
  for (let row = 0; row < planes * rows; row++) {
    let count = 0;
    for (let at = row * columns; at < (row + 1) * columns; at++) count += wrong[at]!;
    if (2 * count >= columns) found.push(row);
  }
  const step = Math.max(1, found.length / mostRowsTried);
  return Array.from({ length: Math.min(found.length, mostRowsTried) }, (_, place) => found[Math.floor(place * step)]!);
}

/** Whether candidate row `row` follows the reference as `source` maps its columns to elements; -1 stands for none. */
function follows(
  { values, reference }: Comparison,
  columns: number,
  row: number,
  source: (column: number) => number,
): boolean {
  let rest = 0;
  let energy = 0;
  for (let column = 0; column < columns; column++) {
    const at = source(column);
    if (at < 0) continue;
    const truth = reference[at]!;
    rest += (values[row * columns + column]! - truth) ** 2;
    energy += truth * truth;
  }
  return energy > 0 && Math.sqrt(rest) <= close * Math.sqrt(energy);
}

function shiftedRow(comparison: Comparison, layout: Planes, tried: readonly number[], enough: number): string | null {
  const { rows, columns } = layout;
  const votes = new Map<number, number>();
  for (const row of tried) {
    const planeStart = row - (row % rows);
    for (let other = planeStart; other < planeStart + rows; other++) {
      if (other === row || !follows(comparison, columns, row, (column) => other * columns + column)) continue;
      votes.set(other - row, (votes.get(other - row) ?? 0) + 1);
    }
  }
  const [shift, count] = [...votes].reduce((best, vote) => (vote[1] > best[1] ? vote : best), [0, 0]);
  if (count < enough) return null;
  const side = shift > 0 ? 'after' : 'before';
  const where = Math.abs(shift) === 1 ? `just ${side} it` : `${Math.abs(shift)} rows ${side} it`;
  return `each wrong row looks like the reference of the row ${where}: a shifted index`;
}

function otherPlane(comparison: Comparison, layout: Planes, tried: readonly number[], enough: number): string | null {
  const { rows, columns, planes } = layout;
  const matches = tried.filter((row) => {
    for (let plane = 0; plane < planes; plane++) {
      const other = plane * rows + (row % rows);
      if (other !== row && follows(comparison, columns, row, (column) => other * columns + column)) return true;
    }
    return false;
  });
  return matches.length >= enough
    ? 'the wrong rows look like the reference of another head or batch: a mixed-up head or batch index'
    : null;
}

function shiftedColumn(
  comparison: Comparison,
  layout: Planes,
  tried: readonly number[],
  enough: number,
): string | null {
  const { columns } = layout;
  for (const shift of [1, -1, 4, -4]) {
    const matches = tried.filter((row) =>
      follows(comparison, columns, row, (column) => {
        const other = column + shift;
        return other < 0 || other >= columns ? -1 : row * columns + other;
      }),
    );
    if (matches.length >= enough && columns > 2 * Math.abs(shift)) {
      return `wrong values look like those ${Math.abs(shift)} column${Math.abs(shift) === 1 ? '' : 's'} ${shift > 0 ? 'to the right' : 'to the left'}: a shifted column index`;
    }
  }
  return null;
}

function transposed(comparison: Comparison, layout: Planes, tried: readonly number[], enough: number): string | null {
  const { rows, columns } = layout;
  if (rows !== columns) return null;
  const matches = tried.filter((row) => {
    const planeStart = (row - (row % rows)) * columns;
    return follows(comparison, columns, row, (column) => planeStart + column * columns + (row % rows));
  });
  return matches.length >= enough ? 'it looks like the transpose of the reference' : null;
}
