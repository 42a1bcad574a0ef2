import { WeslStream } from 'wesl/core';

const token =
  /\/\*|\/\/|[\p{XID_Start}_]\p{XID_Continue}*|(?:0[xX][\da-fA-F.]+|\.?\d)[\p{XID_Continue}.]*|&&|\|\||[<>=!()[\];{}:]/gu;

/**
 * Offsets of every `<` that opens a template list, by the algorithm of the WGSL specification ("Template Lists", 3.9).
 * `text` must have its comments blanked. Linear in the length of the text.
 */
export function templateStarts(text: string): ReadonlySet<number> {
  const starts = new Set<number>();
  const pending: { readonly at: number; readonly depth: number }[] = [];
  let depth = 0;
  let afterName = -1;
  for (const match of text.matchAll(token)) {
    const at = match.index;
    const [word] = match;
    const follows = afterName >= 0 && text.slice(afterName, at).trim() === '';
    afterName = /^[\p{XID_Start}_]/u.test(word) ? at + word.length : -1;
    switch (word) {
      case '<':
        if (follows && text[at + 1] !== '<' && text[at + 1] !== '=') pending.push({ at, depth });
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
