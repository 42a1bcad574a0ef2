import type { ErrorMap, TensorVerdict } from '../../core/numerics/verdict.js';
import { axisWord, formatCount, formatError, significant } from '../format.js';
import { t } from '../strings.js';
import type { Theme } from '../theme.js';
import { planeIndex, type CellReading, type CellState, type DecodedMap } from './error-map.js';
import { parseColour, type StateColours } from './heat-paint.js';
import type { CsvRow } from './export.js';

/** The name of what a cell holds. */
export function stateWord(state: CellState): string {
  switch (state) {
    case 'nan':
      return t('NaN');
    case 'infinite':
      return t('infinite');
    case 'unwritten':
      return t('never written');
    case 'not-compared':
      return t('not compared');
    case 'finite':
      return t('finite');
  }
}

/** The colours of cells without a finite error, from the theme's chart colours. */
export function stateColours(theme: Theme): StateColours {
  return {
    ground: parseColour(theme.colour('editor-background')),
    nan: parseColour(theme.colour('tilescope-mapNan', 'charts-purple')),
    infinite: parseColour(theme.colour('tilescope-mapInfinite', 'charts-red')),
    unwritten: parseColour(theme.colour('tilescope-mapUnwritten', 'charts-foreground', 'foreground')),
    notCompared: parseColour(theme.colour('descriptionForeground', 'foreground')),
  };
}

/** Coordinates of a plane in words: `batch 0 · head 2`. */
export function planeWords(map: ErrorMap, plane: number): string {
  return planeIndex(map, plane)
    .map((index, axis) => `${axisWord(map.planeDims[axis]!.name)} ${index}`)
    .join(' · ');
}

/** What stands in a cell, with its coordinates and the limit it is held to. */
export function readoutText(map: ErrorMap, cell: CellReading, limit: number): string {
  const range = ([first, end]: readonly [number, number]): string =>
    end - first > 1 ? `${first}–${end - 1}` : String(first);
  const place = [
    planeWords(map, cell.plane),
    `${axisWord(map.rowName)} ${range(cell.rows)}`,
    `${axisWord(map.columnName)} ${range(cell.columns)}`,
  ]
    .filter((part) => part !== '')
    .join(' · ');
  if (cell.state !== 'finite') return `${place}: ${stateWord(cell.state)}`;
  const verdict =
    cell.error > limit ? t('beyond the limit {0}', formatError(limit)) : t('limit {0}', formatError(limit));
  return `${place}: ${t('error')} ${significant(cell.error, 6)} (${verdict})`;
}

/** One sentence for a whole tensor's map. */
export function mapSummary(verdict: TensorVerdict, limit: number): string {
  const absent = [
    verdict.nan > 0 ? t('{0} NaN', formatCount(verdict.nan)) : '',
    verdict.infinite > 0 ? t('{0} infinite', formatCount(verdict.infinite)) : '',
    verdict.unwritten > 0 ? t('{0} never written', formatCount(verdict.unwritten)) : '',
  ].filter((part) => part !== '');
  const start = verdict.passed
    ? t(
        'All {0} compared elements of {1} are within their limit {2}',
        formatCount(verdict.compared),
        verdict.name,
        formatError(limit),
      )
    : t(
        '{0} of {1} compared elements of {2} are wrong',
        formatCount(verdict.wrong),
        formatCount(verdict.compared),
        verdict.name,
      );
  const largest = verdict.maxAbs === null ? '' : `; ${t('the largest error is {0}', formatError(verdict.maxAbs))}`;
  return `${start}${largest}${absent.length > 0 ? ` (${absent.join(', ')})` : ''}.`;
}

/** Columns of the table of a plane's cells. */
export function cellHeader(map: ErrorMap): readonly string[] {
  return [...map.planeDims.map((dim) => dim.name), `${map.rowName} from`, `${map.columnName} from`, 'state', 'error'];
}

/** Every cell of a plane as a row of a table. */
export function cellRows(
  decoded: DecodedMap,
  plane: number,
  stateName: (state: number) => CellState,
): readonly CsvRow[] {
  const { map } = decoded;
  const lead = planeIndex(map, plane);
  const rows: CsvRow[] = [];
  for (let row = 0; row < map.cellRows; row++) {
    for (let column = 0; column < map.cellColumns; column++) {
      const i = (plane * map.cellRows + row) * map.cellColumns + column;
      const state = stateName(decoded.states[i]!);
      rows.push([
        ...lead,
        row * map.rowsPerCell,
        column * map.columnsPerCell,
        state,
        state === 'finite' ? decoded.errors[i]! : null,
      ]);
    }
  }
  return rows;
}
