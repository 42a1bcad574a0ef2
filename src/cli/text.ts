/** Paints words for a terminal, or leaves them as they are. */
export interface Paint {
  readonly good: (text: string) => string;
  readonly bad: (text: string) => string;
  readonly warn: (text: string) => string;
  readonly strong: (text: string) => string;
  readonly faint: (text: string) => string;
}

/** Colours where standard output is a terminal that shows them, by the conventions NO_COLOR and FORCE_COLOR. */
export function paintFor(stream: { readonly isTTY?: boolean }, env: NodeJS.ProcessEnv): Paint {
  const forced = Boolean(env.FORCE_COLOR) && env.FORCE_COLOR !== '0';
  const colour = forced || (stream.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb');
  const style = (code: number) => (text: string) => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);
  return { good: style(32), bad: style(31), warn: style(33), strong: style(1), faint: style(2) };
}

/** One cell of a table; `paint` colours it without counting towards its width. */
export interface Cell {
  readonly text: string;
  readonly align?: 'left' | 'right';
  readonly paint?: (text: string) => string;
}

/** Rows as aligned columns, two spaces apart; each line begins with `indent`. The last column is not padded. */
export function table(rows: readonly (readonly Cell[])[], indent: string): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach(({ text }, column) => {
      widths[column] = Math.max(widths[column] ?? 0, text.length);
    });
  }
  const lines = rows.map((row) => {
    const cells = row.map(({ text, align, paint }, column) => {
      const padding = ' '.repeat(widths[column]! - text.length);
      const painted = paint ? paint(text) : text;
      if (align === 'right') return padding + painted;
      return column === row.length - 1 ? painted : painted + padding;
    });
    return (indent + cells.join('  ')).trimEnd();
  });
  return lines.join('\n');
}

/** A number in three significant digits, `-` where it is absent. */
export function short(value: number | null): string {
  if (value === null) return '-';
  if (value === 0) return '0';
  const size = Math.abs(value);
  return size >= 1e-3 && size < 1e5 ? String(Number(value.toPrecision(3))) : value.toExponential(1);
}

/** A duration for people: ns, µs, ms or s with three significant digits. */
export function duration(ns: number): string {
  const units: readonly [number, string][] = [
    [1e9, 's'],
    [1e6, 'ms'],
    [1e3, 'µs'],
  ];
  for (const [size, unit] of units) {
    if (ns >= size) return `${(ns / size).toPrecision(3)} ${unit}`;
  }
  return `${Math.round(ns)} ns`;
}

/** A shape or options as `name=value` words. A whole number is told in full: seqlen=2048 is not 2050. */
export function settings(values: Readonly<Record<string, unknown>>): string {
  const text = (value: unknown): string =>
    typeof value === 'number' && !Number.isInteger(value) ? short(value) : JSON.stringify(value);
  return Object.entries(values)
    .map(([name, value]) => `${name}=${text(value)}`)
    .join(' ')
    .replaceAll('"', '');
}

/** A size for people: bytes, KiB, MiB or GiB. */
export function bytesText(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB'];
  const power = bytes < 1024 ? 0 : Math.min(3, Math.floor(Math.log2(bytes) / 10));
  return `${Number((bytes / 1024 ** power).toFixed(1))} ${units[power]!}`;
}

/** A count of operations for people, with a decimal prefix. */
export function flopsText(flops: number): string {
  const prefixes = ['', 'K', 'M', 'G', 'T', 'P'];
  const power = flops < 1000 ? 0 : Math.min(5, Math.floor(Math.log10(flops) / 3));
  return `${Number((flops / 1000 ** power).toPrecision(3))} ${prefixes[power]!}FLOP`;
}

/** A whole number with separators between the thousands. */
export function count(value: number): string {
  return value.toLocaleString('en-US');
}

/** A share from 0 to 1 in percent, `-` where it is absent. */
export function percent(share: number | null): string {
  return share === null ? '-' : `${Math.round(100 * share)} %`;
}
