import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  parseDocument,
  type YAMLParseError,
  type Node,
  type Pair,
  type YAMLMap,
} from 'yaml';
import type { Span } from '../diagnostic.js';
import type { Report } from './report.js';

/** A leaf. `raw` is the text as written, without quotes, and `rawSpan` its place. */
export interface YamlScalar {
  readonly kind: 'scalar';
  readonly value: string | number | boolean | null;
  readonly raw: string;
  readonly span: Span;
  readonly rawSpan: Span;
}

/** A sequence. */
export interface YamlList {
  readonly kind: 'list';
  readonly items: readonly YamlNode[];
  readonly span: Span;
}

/** One `key: value`. `span` covers both. */
export interface YamlEntry {
  readonly key: string;
  readonly keySpan: Span;
  readonly value: YamlNode;
  readonly span: Span;
}

/** A mapping; keys are unique. */
export interface YamlMap {
  readonly kind: 'map';
  readonly entries: readonly YamlEntry[];
  readonly span: Span;
}

/** A YAML value with its place in the kernel file. */
export type YamlNode = YamlScalar | YamlList | YamlMap;

/** The entry of a mapping under a key, or null. */
export function entryOf(map: YamlMap, key: string): YamlEntry | null {
  return map.entries.find((entry) => entry.key === key) ?? null;
}

const maxNesting = 24;

/**
 * Parses the YAML that stands at `base` in a file into a tree whose spans are offsets into the file.
 * Commas inside parentheses do not part the items of `[...]` and `{...}`, so that `[max(a, b), 1]` holds two items.
 */
export function parseYaml(yaml: string, base: number, report: Report): YamlNode | null {
  // Deep nesting would exhaust the stack of the YAML library before any limit of ours is reached.
  if (nestingBound(yaml) > 100) {
    report.error(
      'yaml-syntax',
      { start: base, end: base + yaml.length },
      'The front matter is nested too deeply to be read.',
      'Remove the repeated brackets or dashes.',
    );
    return null;
  }
  const document = parseDocument(yaml, { prettyErrors: false, logLevel: 'silent', uniqueKeys: true });
  const clamp = (offset: number): number => base + Math.min(Math.max(offset, 0), yaml.length);
  for (const error of document.errors) reportSyntax(error, yaml, clamp, report);
  return document.contents ? new TreeBuilder(yaml, base, report).node(document.contents, 0) : null;
}

/** At least as deep as the YAML nests: brackets count until they close, and so do dashes and question marks on a line. */
function nestingBound(yaml: string): number {
  let depth = 0;
  let deepest = 0;
  for (const character of yaml) {
    if (character === '[' || character === '{') deepest = Math.max(deepest, ++depth);
    else if (character === ']' || character === '}') depth = Math.max(0, depth - 1);
  }
  const markers = [...yaml.matchAll(/^[ \t]*(?:[-?:][ \t]+)+/gm)].map(([run]) => run.replace(/[ \t]/g, '').length);
  const indents = [...yaml.matchAll(/^[ \t]*/gm)].map(([run]) => run.length / 2);
  return [...markers, ...indents].reduce((most, next) => Math.max(most, next), deepest);
}

function reportSyntax(
  error: Pick<YAMLParseError, 'code' | 'pos' | 'message'>,
  yaml: string,
  clamp: (offset: number) => number,
  report: Report,
): void {
  const [from, to] = error.pos;
  // What is missing at the end is missing behind the last word, not on the line of the closing fence.
  const start = Math.min(from, yaml.trimEnd().length);
  const remedy = syntaxRemedy(error.code, yaml, from);
  if (error.code === 'DUPLICATE_KEY') {
    const word = /^[\w.-]*/.exec(yaml.slice(start))![0];
    const span = { start: clamp(start), end: clamp(start + Math.max(1, word.length)) };
    report.error('duplicate-key', span, 'This key stands twice.', remedy);
    return;
  }
  const reason = (error.message.split('\n')[0] ?? '').replace(/[.:\s]+$/, '');
  const span = { start: clamp(start), end: Math.max(clamp(start), clamp(to)) };
  report.error('yaml-syntax', span, `The front matter is not valid YAML: ${reason}.`, remedy);
}

function syntaxRemedy(code: string, yaml: string, at: number): string {
  if (code === 'DUPLICATE_KEY') return 'Keep one of the two.';
  if (code === 'TAB_AS_INDENT') return 'Indent with spaces.';
  const line = yaml.slice(yaml.lastIndexOf('\n', at - 1) + 1, at);
  if (/\b(?:f32|f16|u32|i32)\s*$/.test(line) || /\b(?:f32|f16|u32|i32)\s*\[/.test(line)) {
    return 'Inside braces, put quotes around a size such as "f32[batch, heads]", or give it a line of its own.';
  }
  return 'Write "key: value" lines, with lists as [a, b] and inner keys indented by two spaces.';
}

/** Whether a plain scalar stops inside parentheses, at a comma that was meant for a function. */
function isOpen({ raw, span, rawSpan }: YamlScalar): boolean {
  if (span.start !== rawSpan.start) return false;
  let depth = 0;
  for (const character of raw) depth += character === '(' ? 1 : character === ')' ? -1 : 0;
  return depth > 0;
}

class TreeBuilder {
  constructor(
    private readonly yaml: string,
    private readonly base: number,
    private readonly report: Report,
  ) {}

  node(node: Node | null, at: number, depth = 0): YamlNode {
    const span = this.spanOf(node, at);
    if (depth > maxNesting || isAlias(node)) {
      this.report.error(
        'yaml-alias',
        span,
        isAlias(node) ? 'Aliases cannot be used in the front matter.' : 'This is nested too deeply.',
        isAlias(node) ? 'Write the value out.' : 'Use fewer levels.',
      );
      return { kind: 'scalar', value: null, raw: '', span, rawSpan: span };
    }
    if (isMap(node)) return { kind: 'map', entries: this.entries(node, depth), span };
    if (isSeq(node)) {
      const items = node.items.map((item) => this.node(item as Node | null, span.start - this.base, depth + 1));
      return { kind: 'list', items: node.flow === true ? this.joinItems(items) : items, span };
    }
    return this.scalar(node, span);
  }

  private spanOf(node: Node | null, at: number): Span {
    const range = node?.range;
    const start = this.base + (range ? range[0] : at);
    return { start, end: Math.max(start, this.base + (range ? range[1] : at)) };
  }

  private scalar(node: Node | null, span: Span): YamlScalar {
    const value: unknown = isScalar(node) ? node.value : null;
    const written = this.yaml.slice(span.start - this.base, span.end - this.base);
    const quoted = /^(["'])([\s\S]*)\1$/.exec(written);
    const known = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : null;
    if (quoted && quoted[2] === value) {
      return {
        kind: 'scalar',
        value: known,
        raw: quoted[2]!,
        span,
        rawSpan: { start: span.start + 1, end: span.end - 1 },
      };
    }
    return { kind: 'scalar', value: known, raw: written, span, rawSpan: span };
  }

  private entries(map: YAMLMap, depth: number): YamlEntry[] {
    const entries: YamlEntry[] = [];
    const seen = new Set<string>();
    for (const item of map.items as Pair<Node | null, Node | null>[]) {
      const keySpan = this.spanOf(item.key, map.range ? map.range[0] : 0);
      const key = isScalar(item.key)
        ? String(item.key.value)
        : this.yaml.slice(keySpan.start - this.base, keySpan.end - this.base);
      const value = this.node(item.value, keySpan.end - this.base, depth + 1);
      const entry = { key, keySpan, value, span: { start: keySpan.start, end: Math.max(keySpan.end, value.span.end) } };
      const last = entries.at(-1);
      if (map.flow === true && last?.value.kind === 'scalar' && isOpen(last.value)) {
        entries[entries.length - 1] = this.extend(last, entry.span.end);
      } else if (!seen.has(key)) {
        seen.add(key);
        entries.push(entry);
      }
    }
    return entries;
  }

  private extend(entry: YamlEntry, end: number): YamlEntry {
    const value = this.written(entry.value.span.start, end);
    return { ...entry, value, span: { start: entry.span.start, end } };
  }

  private written(start: number, end: number): YamlScalar {
    const raw = this.yaml.slice(start - this.base, end - this.base);
    return { kind: 'scalar', value: raw, raw, span: { start, end }, rawSpan: { start, end } };
  }

  private joinItems(items: readonly YamlNode[]): YamlNode[] {
    const joined: YamlNode[] = [];
    for (const item of items) {
      const last = joined.at(-1);
      if (last?.kind === 'scalar' && isOpen(last)) {
        joined[joined.length - 1] = this.written(last.span.start, item.span.end);
      } else {
        joined.push(item);
      }
    }
    return joined;
  }
}
