/** What a position in WGSL text may start, as far as the preprocessor has to tell them apart. */
export type ScanKind = 'comment' | 'identifier' | 'number' | 'newline' | 'blank' | 'other';

/** One piece of text: `closed` is false for a block comment that the text ends inside of. */
export interface Scanned {
  readonly kind: ScanKind;
  readonly end: number;
  readonly closed: boolean;
}

const identifierPattern = /[\p{XID_Start}_]\p{XID_Continue}*/uy;
/** A number takes the letters right after it along, as in C, so that no macro is found in `1N`. */
const numberPattern = /(?:0[xX][\da-fA-F.]*(?:[pP][+-]?\d+)?|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\p{XID_Continue}*/uy;
const newlinePattern = /\r\n|[\n\v\f\r\u0085\u2028\u2029]/y;
const blankPattern = /[ \t\u200e\u200f]+/y;
const patterns: readonly (readonly [ScanKind, RegExp])[] = [
  ['blank', blankPattern],
  ['identifier', identifierPattern],
  ['number', numberPattern],
  ['newline', newlinePattern],
];
const lineEndPattern = /[\n\v\f\r\u0085\u2028\u2029]/g;
const blockEdgePattern = /\/\*|\*\//g;

/** The end of whatever `pattern` (sticky) matches at `at`, or -1. */
function matchEnd(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : -1;
}

/** End of the line that `at` is on, its line break not included. */
export function lineEnd(text: string, at: number): number {
  lineEndPattern.lastIndex = at;
  return lineEndPattern.exec(text)?.index ?? text.length;
}

/** End of the comment that starts at `at` (block comments nest in WGSL), or null where none starts there. */
export function scanComment(text: string, at: number): Scanned | null {
  if (text.startsWith('//', at)) return { kind: 'comment', end: lineEnd(text, at), closed: true };
  if (!text.startsWith('/*', at)) return null;
  let depth = 1;
  blockEdgePattern.lastIndex = at + 2;
  while (depth > 0) {
    const edge = blockEdgePattern.exec(text);
    if (edge === null) return { kind: 'comment', end: text.length, closed: false };
    depth += edge[0] === '/*' ? 1 : -1;
  }
  return { kind: 'comment', end: blockEdgePattern.lastIndex, closed: true };
}

/** The piece of text at `at`, which must lie before the end of `text`. Linear in the length of the piece. */
export function scan(text: string, at: number): Scanned {
  const comment = scanComment(text, at);
  if (comment !== null) return comment;
  for (const [kind, pattern] of patterns) {
    const end = matchEnd(pattern, text, at);
    if (end > at) return { kind, end, closed: true };
  }
  return { kind: 'other', end: at + 1, closed: true };
}

/**
 * The text with every comment replaced by spaces of the same length (line breaks stay), so that offsets hold.
 * `unclosed` is where a block comment starts that the text ends inside of, else null.
 */
export function blankComments(text: string): { readonly text: string; readonly unclosed: number | null } {
  const parts: string[] = [];
  let from = 0;
  let at = 0;
  while (at < text.length) {
    at = text.indexOf('/', at);
    if (at < 0) break;
    const comment = scanComment(text, at);
    if (comment === null) {
      at += 1;
      continue;
    }
    parts.push(text.slice(from, at), text.slice(at, comment.end).replace(/[^\n\v\f\r\u0085\u2028\u2029]/g, ' '));
    if (!comment.closed) return { text: parts.join(''), unclosed: at };
    at = comment.end;
    from = at;
  }
  parts.push(text.slice(from));
  return { text: parts.join(''), unclosed: null };
}
