import { WeslStream } from 'wesl/core';

const punctuation = /&&|\|\||[<>=()[\];{}:]/g;
const blank = /[\s\u200e\u200f\u0085]/;
const wordPart = /\p{XID_Continue}/u;

/** Start of the run of characters before `end` that `pattern` takes. */
function runStart(text: string, end: number, pattern: RegExp): number {
  let start = end;
  while (start > 0 && pattern.test(text[start - 1]!)) start -= 1;
  return start;
}

/** Whether the word before `at` is a name (and no number: `1.f` is one, `a.f` is none). */
function followsName(text: string, at: number): boolean {
  const end = runStart(text, at, blank);
  const start = runStart(text, end, wordPart);
  if (start === end || /\d/.test(text[start]!)) return false;
  if (text[start - 1] !== '.') return true;
  const before = runStart(text, start - 1, wordPart);
  return before === start - 1 || !/\d/.test(text[before]!);
}

/**
 * Offsets of every `<` that opens a template list, by the algorithm of the WGSL specification ("Template Lists", 3.9).
 * `text` must have its comments blanked.
 */
export function templateStarts(text: string): ReadonlySet<number> {
  const starts = new Set<number>();
  const pending: { readonly at: number; readonly depth: number }[] = [];
  let depth = 0;
  for (const match of text.matchAll(punctuation)) {
    const at = match.index;
    const [word] = match;
    switch (word) {
      case '<':
        if (text[at + 1] !== '<' && text[at + 1] !== '=' && followsName(text, at)) pending.push({ at, depth });
        break;
      case '>':
        if (pending.at(-1)?.depth === depth) starts.add(pending.pop()!.at);
        break;
      case '(':
      case '[':
        depth += 1;
        break;
      case ')':
      case ']':
        dropFrom(pending, depth);
        depth = Math.max(0, depth - 1);
        break;
      case '&&':
      case '||':
        dropFrom(pending, depth);
        break;
      case '=':
        // `==`, `!=`, `<=` and `>=` compare; a lone `=` assigns, and no template list goes on past an assignment.
        if (text[at + 1] === '=' || /[=!<>]/.test(text[at - 1] ?? '')) break;
        pending.length = 0;
        depth = 0;
        break;
      case ';':
      case '{':
      case ':':
        pending.length = 0;
        depth = 0;
        break;
    }
  }
  return starts;
}

function dropFrom(pending: { readonly depth: number }[], depth: number): void {
  while (pending.length > 0 && pending.at(-1)!.depth >= depth) pending.pop();
}

const known = new WeakMap<object, ReadonlySet<number>>();

/**
 * Makes WESL's tokenizer find template lists as WGSL defines them. Its own search (0.7.31) looks past `)` and `=`, so
 * that it takes `s[f(i < n)] = x >> 1u` for a template list and rejects a legal program, and it searches on to the end
 * of the text for every `<`. The method is private; a test notices when a new version renames it.
 */
export function repairTemplateDiscovery(): void {
  const prototype = WeslStream.prototype as unknown as { isTemplateStart: (afterToken: number) => boolean };
  prototype.isTemplateStart = function isTemplateStart(this: WeslStream, afterToken: number): boolean {
    let starts = known.get(this);
    if (starts === undefined) {
      starts = templateStarts(this.src);
      known.set(this, starts);
    }
    return starts.has(afterToken - 1);
  };
}
