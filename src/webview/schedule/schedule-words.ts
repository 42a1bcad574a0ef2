import type { Rect, Schedule, ScheduleStep, ScheduleTensor, TileAccess } from '../../core/analysis/schedule.js';
import { axisWord, formatBytes, formatCount, joined } from '../format.js';
import type { PictureTable } from '../picture/figure.js';
import { t } from '../strings.js';
import type { ScheduleModel } from './schedule-model.js';
import { cellLooks, lookAt, type ScoreProgress } from './score-progress.js';

/** First and last of a range [from, to): `64–127`, or the only one. */
export function rangeText(from: number, to: number): string {
  return to - from > 1 ? `${from}–${to - 1}` : String(from);
}

/** A rectangle of a tensor in words: `rows 64–127, columns 0–31`; whole axes are left out. Slots of a cache by their page. */
export function rectText(
  rect: Rect,
  tensor: Pick<ScheduleTensor, 'rows' | 'columns' | 'pageRows'> | undefined,
): string {
  const pageRows = tensor?.pageRows ?? null;
  const rows = pageRows === null ? t('rows {0}', rangeText(rect.row0, rect.row1)) : slotText(rect, pageRows);
  const whole = tensor && rect.column0 === 0 && rect.column1 === tensor.columns;
  return whole ? rows : `${rows}, ${t('columns {0}', rangeText(rect.column0, rect.column1))}`;
}

function slotText({ row0, row1 }: Rect, pageRows: number): string {
  const first = Math.floor(row0 / pageRows);
  const end = Math.ceil(row1 / pageRows);
  if (end - first > 1) return t('pages {0}', rangeText(first, end));
  const page = t('page {0}', first);
  const [from, to] = [row0 - first * pageRows, row1 - first * pageRows];
  return to - from === pageRows ? page : `${page}, ${t('slots {0}', rangeText(from, to))}`;
}

/** What a step is, in a word or two. */
export function kindWord(step: ScheduleStep): string {
  const through = step.scores.some(({ by }) => by === 'state');
  switch (step.kind) {
    case 'load':
      return t('load');
    case 'store':
      return t('store');
    case 'compute':
    case 'mixed':
      if (through) return t('compute, through the state');
      if (step.scores.length > 0) return t('compute, left product');
      if (step.states.some(({ mode }) => mode === 'update')) return t('state update');
      return step.kind === 'compute' ? t('compute') : t('load and compute');
  }
}

/** The pairs a step forms, in words; null where it forms none. */
export function scoreText(step: ScheduleStep): string | null {
  const score = step.scores[0];
  if (!score) return null;
  const pairs = t(
    'queries {0} × keys {1}',
    rangeText(score.rect.row0, score.rect.row1),
    rangeText(score.rect.column0, score.rect.column1),
  );
  return score.by === 'score' ? pairs : t('{0}, all at once through the state', pairs);
}

/** What a step moves of one tensor, in words. */
export interface Move {
  readonly tensor: string;
  readonly mode: 'read' | 'write';
  /** The rectangle, or how many pages. */
  readonly place: string;
  readonly bytes: number;
  readonly sites: readonly number[];
}

/** Pages of a tensor that are told one by one; more of them are a number. */
const mostPagesTold = 3;

/** What a step moves: each tile by itself, but many pages of one tensor together. */
export function movesOf(
  step: Pick<ScheduleStep, 'accesses'>,
  { schedule }: Pick<ScheduleModel, 'schedule'>,
): readonly Move[] {
  const tensors = new Map(schedule.tensors.map((tensor) => [tensor.name, tensor]));
  const groups = new Map<string, TileAccess[]>();
  for (const access of step.accesses) {
    const { tensor, mode, plane, rect } = access;
    const paged = (tensors.get(tensor)?.pageRows ?? null) !== null;
    const name = [tensor, mode, plane, ...(paged ? [] : [rect.row0, rect.column0])].join(' ');
    const group = groups.get(name);
    if (group) group.push(access);
    else groups.set(name, [access]);
  }
  return [...groups.values()].flatMap((group): readonly Move[] => {
    const [{ tensor, mode }] = group as [TileAccess];
    if (group.length <= mostPagesTold)
      return group.map((access) => ({ ...access, place: rectText(access.rect, tensors.get(access.tensor)) }));
    const bytes = group.reduce((sum, access) => sum + access.bytes, 0);
    const sites = [...new Set(group.flatMap((access) => access.sites))];
    return [{ tensor, mode, place: t('{0} pages', group.length), bytes, sites }];
  });
}

/** One sentence for a step, for the line under the pictures and for screen readers. */
export function stepText(model: ScheduleModel, index: number): string {
  const step = model.lane.schedule.steps[index]!;
  const moves = movesOf(step, model);
  const moved = (mode: 'read' | 'write'): string =>
    moves
      .filter((move) => move.mode === mode)
      .map(({ tensor, place }) => `${tensor} ${place}`)
      .join('; ');
  const parts = [
    `${t('step {0} of {1}', index + 1, model.lane.schedule.steps.length)}: ${kindWord(step)}`,
    moved('read') && t('reads {0}', moved('read')),
    moved('write') && t('writes {0}', moved('write')),
    scoreText(step),
  ];
  return parts.filter((part) => part !== '' && part !== null).join(' · ');
}

/** The page that a key of a plane of the scores lies in; null where keys lie in none. */
function pageOf(schedule: Schedule, plane: number, key: number): number | null {
  const pageRows = schedule.tensors.find((tensor) => tensor.pageRows !== null)?.pageRows;
  return pageRows ? (pagesOf(schedule, plane)[Math.floor(key / pageRows)] ?? null) : null;
}

/** The pages of the sequence that a plane of the scores is of; none where keys do not lie in pages. */
export function pagesOf({ pages, score }: Schedule, plane: number): readonly number[] {
  if (!pages || !score) return [];
  return pages[Math.floor((plane * pages.length) / score.planes)] ?? [];
}

/** What became of the pairs under a point of the score square. */
export function pairText(
  progress: ScoreProgress,
  schedule: Schedule,
  query: number,
  key: number,
  time: number,
): string {
  const cell = Math.floor(query / progress.cellQueries) * progress.columns + Math.floor(key / progress.cellKeys);
  const look = lookAt(progress, cell, time);
  const pair = t('query {0} · key {1}', query, key);
  const page = pageOf(schedule, progress.plane, key);
  return `${page === null ? pair : `${pair} · ${t('page {0}', page)}`}: ${lookWord(look)}`;
}

/** What a look of the score square says. */
export function lookWord(look: number): string {
  switch (look) {
    case cellLooks.required:
      return t('not done yet');
    case cellLooks.score:
      return t('computed once, by the left product');
    case cellLooks.state:
      return t('reached once, through the state');
    case cellLooks.wasted:
      return t('computed although the mask shuts it out');
    case cellLooks.doubled:
      return t('computed more than once');
    case cellLooks.missed:
      return t('never computed');
    case cellLooks.untraced:
      return t('belongs to a workgroup that was not traced');
    default:
      return t('shut out by the mask');
  }
}

/** The steps of the chosen workgroup as a table. */
export function stepTable(model: ScheduleModel): PictureTable {
  return {
    header: [
      t('step'),
      t('epoch'),
      t('phase'),
      t('kind'),
      t('reads'),
      t('writes'),
      t('holds'),
      t('pairs'),
      t('masked pairs'),
      t('device accesses'),
      t('workgroup accesses'),
      t('line'),
    ],
    rows: model.lane.schedule.steps.map((step, i) => {
      const moves = movesOf(step, model);
      const moved = (mode: 'read' | 'write'): string =>
        moves
          .filter((move) => move.mode === mode)
          .map(({ tensor, place, bytes }) => `${tensor} ${place} (${bytes} B)`)
          .join('; ');
      return [
        i + 1,
        step.epoch,
        step.phase,
        kindWord(step),
        moved('read'),
        moved('write'),
        step.held.map(({ variable, tensor }) => `${variable}: ${tensor}`).join('; '),
        scoreText(step) ?? '',
        step.scores.reduce((sum, { masked }) => sum + masked, 0),
        step.deviceAccesses,
        step.workgroupAccesses,
        step.line,
      ];
    }),
  };
}

/** A tensor's plane in words: `batch 0 · head 3`. */
export function tensorPlaneText(tensor: ScheduleTensor, plane: number): string {
  const words: string[] = [];
  let rest = plane;
  for (const { name, size } of tensor.planeDims.toReversed()) {
    if (size > 1) words.unshift(`${axisWord(name)} ${rest % size}`);
    rest = Math.floor(rest / size);
  }
  return words.join(' · ');
}

/** Bytes as text. */
export function bytesText(bytes: number): string {
  return joined(formatBytes(bytes));
}

/** A count as text. */
export function countText(count: number): string {
  return formatCount(Math.round(count));
}
