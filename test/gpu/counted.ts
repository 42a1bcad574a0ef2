/** One place in a WGSL text where an element of a module-scope array is accessed, and its counter. */
export interface CountedAccess {
  readonly counter: number;
  readonly variable: string;
  readonly kind: 'read' | 'write';
  /** Offset of the variable's name in the text. */
  readonly offset: number;
}

/** A WGSL text that counts its own accesses. */
export interface CountedText {
  readonly code: string;
  readonly accesses: readonly CountedAccess[];
}

/** Names that the counting text declares; no kernel here uses them. */
const counters = 'tilescope_counters';
const count = 'tilescope_count';

/** The text with comments blanked out, every other character at its place. */
function withoutComments(code: string): string {
  return code.replace(/\/\/[^\n]*|\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ' '));
}

/** The offset of the bracket that closes the one at `open`. */
function closingBracket(code: string, open: number): number {
  let depth = 0;
  for (let at = open; at < code.length; at++) {
    if (code[at] === '[') depth++;
    else if (code[at] === ']' && --depth === 0) return at;
  }
  throw new Error(`The bracket at ${open} is never closed.`);
}

/**
 * Wraps the index of every `variable[index]` so that evaluating it adds 1 to a counter of its own, in the storage buffer
 * at `@group(1) @binding(0)`. Knows text only: what it counts owes nothing to Tilescope's parser and simulator. The
 * variables must be arrays with indices of type u32, accessed by plain reads and assignments.
 */
export function countAccesses(code: string, variables: readonly string[]): CountedText {
  const plain = withoutComments(code);
  const accesses: CountedAccess[] = [];
  const insertions: { at: number; text: string }[] = [];
  for (const match of plain.matchAll(new RegExp(`(?<![\\w.])(${variables.join('|')})\\[`, 'g'))) {
    const variable = match[1]!;
    const open = match.index + variable.length;
    const close = closingBracket(plain, open);
    const after = /^[\w.]*\s*(\S{1,2})/.exec(plain.slice(close + 1))?.[1] ?? '';
    if (/^[-+*/%&|^]=/.test(after)) throw new Error(`${variable} is changed in place: that is no plain access.`);
    const kind = after.startsWith('=') && after !== '==' ? 'write' : 'read';
    insertions.push({ at: open + 1, text: `${count}(${accesses.length}u, ` }, { at: close, text: ')' });
    accesses.push({ counter: accesses.length, variable, kind, offset: match.index });
  }
  const counted = insertions
    .toSorted((a, b) => b.at - a.at)
    .reduce((text, { at, text: added }) => text.slice(0, at) + added + text.slice(at), code);
  const declarations = `
@group(1) @binding(0) var<storage, read_write> ${counters}: array<atomic<u32>>;
fn ${count}(counter: u32, index: u32) -> u32 {
  atomicAdd(&${counters}[counter], 1u);
  return index;
}
`;
  return { code: counted + declarations, accesses };
}
