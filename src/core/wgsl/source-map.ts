import type { Span } from '../diagnostic.js';

/** Where a run of generated text begins, there and in the source; `use` is the length of a macro's use, or null. */
interface Segment {
  readonly code: number;
  readonly source: number;
  readonly use: number | null;
}

const lineBreaks = /\r\n|[\n\v\f\r\u0085\u2028\u2029]/g;

/** Writes text made of pieces of a source and of replacements, and remembers where each character came from. */
export class SourceMapBuilder {
  private readonly parts: string[] = [];
  private readonly segments: Segment[] = [];
  private length = 0;
  /** Start of the piece of source not yet written, and where it ends. */
  private pendingStart = 0;
  private pendingEnd = 0;

  constructor(private readonly source: string) {}

  /** Takes over `source[start, end)` unchanged. */
  copy(start: number, end: number): void {
    if (start !== this.pendingEnd) {
      this.flush();
      this.pendingStart = start;
    }
    this.pendingEnd = end;
  }

  /** Writes `text` in place of `source[start, end)`. */
  substitute(text: string, start: number, end: number): void {
    this.flush();
    this.pendingStart = end;
    this.pendingEnd = end;
    if (text === '') return;
    this.segments.push({ code: this.length, source: start, use: end - start });
    this.parts.push(text);
    this.length += text.length;
  }

  /** Takes over nothing but the line breaks of `source[start, end)`. */
  keepLines(start: number, end: number): void {
    const text = this.source.slice(start, end);
    for (const lineBreak of text.matchAll(lineBreaks)) {
      this.copy(start + lineBreak.index, start + lineBreak.index + lineBreak[0].length);
    }
  }

  private flush(): void {
    if (this.pendingEnd <= this.pendingStart) return;
    this.segments.push({ code: this.length, source: this.pendingStart, use: null });
    this.parts.push(this.source.slice(this.pendingStart, this.pendingEnd));
    this.length += this.pendingEnd - this.pendingStart;
    this.pendingStart = this.pendingEnd;
  }

  /** The text written, and its map back: offsets past either end go to the nearest end. */
  finish(): {
    readonly code: string;
    readonly toSource: (offset: number) => number;
    readonly toSourceSpan: (start: number, end: number) => Span;
  } {
    this.flush();
    const { segments, source } = this;
    const codeLength = this.length;
    const at = (offset: number): Segment | undefined => segments[segmentIndex(segments, offset)];
    const toSource = (offset: number): number => {
      if (offset >= codeLength) return source.length;
      const segment = at(Math.max(0, offset));
      if (segment === undefined) return 0;
      return segment.use === null ? segment.source + Math.max(0, offset) - segment.code : segment.source;
    };
    const toSourceSpan = (start: number, end: number): Span => {
      const from = toSource(start);
      const last = end > start ? at(end - 1) : undefined;
      if (last === undefined || end > codeLength) return { start: from, end: Math.max(from, toSource(end)) };
      const to = last.source + (last.use ?? end - last.code);
      return { start: Math.min(from, to), end: to };
    };
    return { code: this.parts.join(''), toSource, toSourceSpan };
  }
}

/** Index of the last segment that begins at or before `offset`. */
function segmentIndex(segments: readonly Segment[], offset: number): number {
  let low = 0;
  let high = segments.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (segments[middle]!.code <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}
