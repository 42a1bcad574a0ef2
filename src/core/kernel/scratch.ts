import { keySpan, sectionOf, type FrontMatter } from './frontMatter.js';
import type { ScratchSpec } from './model.js';
import type { Report } from './report.js';
import { checkExpressionText, type Scope } from './scope.js';

const formats = ['f32', 'f16', 'u32', 'i32'] as const;
const remedy = 'Write a format and sizes, for example: f32[batch, heads, ceil(seqlen / TILE_N)]';

/** Splits at the commas that stand outside all parentheses; each piece with its offset. */
function splitSizes(text: string): readonly { readonly text: string; readonly start: number }[] {
  const pieces: { text: string; start: number }[] = [];
  let depth = 0;
  let start = 0;
  for (let index = 0; index <= text.length; index++) {
    const character = text[index];
    if (character === '(') depth++;
    if (character === ')') depth--;
    if (character !== undefined && (character !== ',' || depth > 0)) continue;
    pieces.push({ text: text.slice(start, index), start });
    start = index + 1;
  }
  return pieces;
}

/** Reads `scratch`: names, formats and size expressions of intermediate buffers. */
export function readScratch(
  frontMatter: FrontMatter,
  tensorNames: readonly string[],
  scope: Scope,
  report: Report,
): ScratchSpec[] {
  return sectionOf(frontMatter, 'scratch').entries.flatMap(({ key, keySpan: nameSpan, value, span }) => {
    if (value.kind !== 'scalar') return [];
    if (tensorNames.includes(key)) {
      const message = `"${key}" is a tensor of the mechanism and cannot be the name of a scratch buffer.`;
      report.error('scratch-name', nameSpan, message, 'Give the scratch buffer another name.');
      return [];
    }
    const match = /^\s*(\w+)\s*\[([\s\S]*)\]\s*$/.exec(value.raw);
    const format = formats.find((candidate) => candidate === match?.[1]);
    if (!match || !format) {
      report.error('scratch-syntax', value.rawSpan, `"${value.raw}" does not describe a scratch buffer.`, remedy);
      return [];
    }
    const base = value.rawSpan.start + value.raw.indexOf('[') + 1;
    const sizes = splitSizes(match[2]!);
    const good = sizes.every((size) =>
      checkExpressionText(
        size.text,
        (error) => ({ start: base + size.start + error.span.start, end: base + size.start + error.span.end }),
        `a size of scratch "${key}"`,
        scope,
        report,
      ),
    );
    return good ? [{ name: key, format, dims: sizes.map((size) => size.text.trim()), span }] : [];
  });
}

/** Warns of scratch buffers that no variable of the WGSL uses. */
export function warnUnusedScratch(
  frontMatter: FrontMatter,
  scratch: readonly ScratchSpec[],
  bound: ReadonlySet<string>,
  report: Report,
): void {
  for (const { name } of scratch) {
    if (bound.has(name)) continue;
    const entry = sectionOf(frontMatter, 'scratch').entries.find(({ key }) => key === name);
    report.warning(
      'unused-entry',
      entry?.keySpan ?? keySpan(frontMatter, 'scratch'),
      `No variable of the WGSL holds the scratch buffer "${name}".`,
      `Declare "var<storage, read_write> ${name}", name its variable under "bindings", or remove it.`,
    );
  }
}
