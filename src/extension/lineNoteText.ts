import type { LineTraffic } from '../core/analysis/ledger.js';
import type { Translate } from './translate.js';

/** What stands at the end of a source line, and what its hover says. */
export interface LineNote {
  /** From 1. */
  readonly line: number;
  readonly text: string;
  /** A line for each variable that the source line touches. */
  readonly details: readonly string[];
}

/** The notes of all lines that move bytes: device memory first, the largest part of each in words. */
export function lineNotes(lines: readonly LineTraffic[], t: Translate): readonly LineNote[] {
  const byLine = new Map<number, LineTraffic[]>();
  for (const entry of lines) {
    // Uniforms are a few bytes that every cache holds: on each line that reads one a note would only be in the way.
    if (entry.space === 'uniform') continue;
    const entries = byLine.get(entry.line);
    if (entries === undefined) byLine.set(entry.line, [entry]);
    else entries.push(entry);
  }
  return [...byLine]
    .sort(([a], [b]) => a - b)
    .map(([line, entries]) => {
      const sorted = entries.sort((a, b) => rank(b) - rank(a));
      return { line, text: noteText(sorted, t), details: sorted.map((entry) => detail(entry, t)) };
    });
}

/** Bytes with a binary prefix in three significant digits: `128 KiB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let scaled = bytes;
  let unit = 0;
  while (scaled >= 1024 && unit < units.length - 1) {
    scaled /= 1024;
    unit++;
  }
  return `${scaled >= 1000 ? Math.round(scaled) : Number(scaled.toPrecision(3))} ${units[unit]!}`;
}

/** Device memory comes before workgroup memory, and many bytes before few. */
function rank({ space, requestedBytes }: LineTraffic): number {
  return requestedBytes + (space === 'workgroup' ? 0 : Number.MAX_SAFE_INTEGER / 2);
}

function noteText(entries: readonly LineTraffic[], t: Translate): string {
  const [first] = entries;
  if (first === undefined) return '';
  const sameSpace = entries.filter(({ space }) => (space === 'workgroup') === (first.space === 'workgroup'));
  const bytes = sum(sameSpace, ({ requestedBytes }) => requestedBytes);
  if (first.space === 'workgroup') {
    const worst = Math.max(...sameSpace.map(({ bankConflict }) => bankConflict ?? 1));
    const size = t('{0} workgroup memory', formatBytes(bytes));
    return worst > 1.005 ? `${size} · ${t('{0}× bank conflicts', Number(worst.toPrecision(2)))}` : size;
  }
  const transferred = sum(sameSpace, ({ transferredBytes }) => transferredBytes);
  const useful = sum(sameSpace, (entry) => entry.efficiency * entry.transferredBytes);
  const parts = [formatBytes(bytes)];
  const times = sum(sameSpace, ({ timesCompulsory }) => timesCompulsory ?? 0);
  if (times > 0 && sameSpace.length === 1) parts.push(`${formatTimes(times)}×`);
  if (transferred > 0) parts.push(t('{0} % coalesced', Math.round((100 * useful) / transferred)));
  return parts.join(' · ');
}

function detail(entry: LineTraffic, t: Translate): string {
  const kind = { read: t('read'), write: t('written'), atomic: t('atomic') }[entry.kind];
  const requested = t('{0}: {1} {2}', entry.variable, formatBytes(entry.requestedBytes), kind);
  if (entry.space === 'workgroup') {
    const conflict = entry.bankConflict ?? 1;
    return conflict > 1.005
      ? `${requested} · ${t('{0}× bank conflicts', Number(conflict.toPrecision(2)))}`
      : `${requested} · ${t('no bank conflicts')}`;
  }
  const parts = [requested, t('{0} in whole sectors', formatBytes(entry.transferredBytes))];
  if (entry.timesCompulsory !== null) parts.push(t('{0}× the tensor', formatTimes(entry.timesCompulsory)));
  return parts.join(' · ');
}

function formatTimes(times: number): number {
  return times >= 100 ? Math.round(times) : Number(times.toPrecision(2));
}

function sum(entries: readonly LineTraffic[], value: (entry: LineTraffic) => number): number {
  return entries.reduce((total, entry) => total + value(entry), 0);
}
