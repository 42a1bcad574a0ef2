import { LineCounter, parseDocument, stringify } from 'yaml';
import { invalidStackLayer, merged, type LayerStack, type StackLayer } from './layer-stack.js';

/** A list of layers that was read, or why it cannot be. */
export type ReadStack =
  { readonly ok: true; readonly stack: LayerStack } | { readonly ok: false; readonly problem: string };

/** Lists longer than this are refused: no model has as many kinds of layers. */
const mostEntries = 1000;

const sizes = ['heads', 'headsKv', 'headDim', 'headDimV', 'window', 'repeat'] as const;
const known: readonly string[] = ['mechanism', ...sizes, 'causal'];

/**
 * Reads a list of layers in YAML: `title`, `layers` (each with `mechanism`, `heads`, `headDim`, and as needed `headsKv`,
 * `headDimV`, `window`, `causal`, `repeat`) and `repeat`, how often the whole list stands.
 */
export function readStack(text: string): ReadStack {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: 'silent' });
  const [error] = document.errors;
  if (error) {
    const { line } = lines.linePos(error.pos[0]);
    return { ok: false, problem: `Line ${line} is no YAML: ${error.message}` };
  }
  const content: unknown = document.toJS({ maxAliasCount: 20 });
  const fields = fieldsOf(content);
  if (!fields) return { ok: false, problem: 'A stack is a mapping with a list of layers.' };
  const stranger = Object.keys(fields).find((name) => !['title', 'layers', 'repeat'].includes(name));
  if (stranger !== undefined) {
    return { ok: false, problem: `"${stranger}" is no field of a stack: it has title, layers and repeat.` };
  }
  const { title = 'own layers', layers, repeat = 1 } = fields;
  if (!Array.isArray(layers) || layers.length === 0) return { ok: false, problem: 'layers must be a list of layers.' };
  if (layers.length > mostEntries) return { ok: false, problem: `A stack has at most ${mostEntries} entries.` };
  if (typeof repeat !== 'number' || !Number.isInteger(repeat) || repeat < 1 || repeat > mostEntries) {
    return { ok: false, problem: `repeat must be a whole number from 1 to ${mostEntries}, not ${String(repeat)}.` };
  }
  const read: StackLayer[] = [];
  for (const [at, entry] of layers.entries()) {
    const layer = readLayer(entry);
    if (typeof layer === 'string') return { ok: false, problem: `Layer ${at + 1}: ${layer}` };
    read.push(layer);
  }
  const all = Array.from({ length: repeat }, () => read).flat();
  return { ok: true, stack: { title: String(title), layers: merged(all) } };
}

/** The layer of an entry, or what is wrong with it. */
function readLayer(entry: unknown): StackLayer | string {
  const fields = fieldsOf(entry);
  if (!fields) return 'it must be a mapping, such as { mechanism: softmax-attention, heads: 32, headDim: 128 }.';
  const stranger = Object.keys(fields).find((name) => !known.includes(name));
  if (stranger !== undefined) return `"${stranger}" is no field of a layer: it has ${known.join(', ')}.`;
  const { mechanism, causal = true } = fields;
  if (typeof mechanism !== 'string') return 'it needs a mechanism by its id, such as softmax-attention.';
  if (typeof causal !== 'boolean') return `causal must be true or false, not ${String(causal)}.`;
  const numbers = new Map<string, number>();
  for (const name of sizes) {
    const value = fields[name];
    if (value === undefined || value === null) continue;
    if (typeof value !== 'number') return `${name} must be a number, not ${JSON.stringify(value)}.`;
    numbers.set(name, value);
  }
  const heads = numbers.get('heads');
  const headDim = numbers.get('headDim');
  if (heads === undefined || headDim === undefined) return 'it needs heads and headDim.';
  const layer: StackLayer = {
    mechanism,
    heads,
    headsKv: numbers.get('headsKv') ?? null,
    headDim,
    headDimV: numbers.get('headDimV') ?? headDim,
    window: numbers.get('window') ?? null,
    causal,
    repeat: numbers.get('repeat') ?? 1,
  };
  return invalidStackLayer(layer) ?? layer;
}

/** A stack as text that `readStack` reads, without what goes without saying. */
export function stackText({ title, layers }: LayerStack): string {
  const entries = layers.map(({ mechanism, heads, headsKv, headDim, headDimV, window, causal, repeat }) => ({
    mechanism,
    heads,
    ...(headsKv === null ? {} : { headsKv }),
    headDim,
    ...(headDimV === headDim ? {} : { headDimV }),
    ...(window === null ? {} : { window }),
    ...(causal ? {} : { causal }),
    ...(repeat === 1 ? {} : { repeat }),
  }));
  const { times, period } = repetition(entries);
  const lines = period.map((entry) => `  - ${stringify(entry, { collectionStyle: 'flow', lineWidth: 0 }).trim()}`);
  return [
    `title: ${stringify(title).trim()}`,
    ...(times > 1 ? [`repeat: ${times}`] : []),
    'layers:',
    ...lines,
    '',
  ].join('\n');
}

/** The shortest list that gives all entries when it is repeated. */
function repetition<T>(entries: readonly T[]): { readonly times: number; readonly period: readonly T[] } {
  const texts = entries.map((entry) => JSON.stringify(entry));
  for (let length = 1; length < entries.length; length++) {
    if (entries.length % length !== 0) continue;
    if (texts.every((text, at) => text === texts[at % length])) {
      return { times: entries.length / length, period: entries.slice(0, length) };
    }
  }
  return { times: 1, period: entries };
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null;
}
