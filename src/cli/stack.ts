import { existsSync, readFileSync } from 'node:fs';
import {
  kindsOf,
  layerCost,
  stackCost,
  twinOf,
  type LayerStack,
  type StackCost,
  type StackCase,
  type StackLayer,
} from '../core/stack/layer-stack.js';
import { predict, rateOf, type MeasuredKernel, type MeasuredRate, type Prediction } from '../core/stack/prediction.js';
import { stackPresets } from '../core/stack/presets.js';
import { readStack } from '../core/stack/stack-list.js';
import { schemaVersion } from '../lab/contract.js';
import { bytesText, count, duration, flopsText, short, table, type Cell, type Paint } from './text.js';
import { UsageError } from './usage.js';

/** What `stack` was asked for. */
export interface StackRequest {
  /** A preset's id, or the path of a list. */
  readonly name: string;
  readonly at: StackCase;
  /** Paths of files that `bench --json` wrote. */
  readonly measured: readonly string[];
  readonly json: boolean;
}

/** What the attention of a stack costs, beside its twins of one mechanism alone. */
export function stackText(paint: Paint, { name, at, measured, json }: StackRequest): string {
  const { stack, source } = findStack(name);
  const rates = measured.flatMap(readRates);
  const stacks = [stack, twinOf(stack, 'softmax-attention'), twinOf(stack, 'lightning-attention')].map((each) => ({
    stack: each,
    cost: stackCost(each, at),
    prediction: rates.length > 0 ? predict(each, at, rates) : null,
  }));
  if (json) {
    const layers = kindsOf(stack).map((layer) => ({ ...layer, cost: layerCost(layer, at) }));
    return JSON.stringify({ schemaVersion, ...at, source, layers, stacks }, null, 2);
  }
  const { seqlen, elementBytes, stateBytes } = at;
  const heading = `${stack.title}${source === null ? '' : ` (${source})`}: attention of one sequence of ${count(seqlen)} tokens, ${elementBytes} bytes an element, ${stateBytes} of a state. Weights are left out.`;
  return [
    paint.faint(heading),
    `Each layer\n${table([costHeads(paint, false), ...kindsOf(stack).map((layer) => layerRow(paint, layer, at))], '  ')}`,
    `The stack and its twins\n${table(
      [
        costHeads(paint, rates.length > 0),
        ...stacks.map(({ stack: { title }, cost, prediction }) => [
          { text: title, paint: paint.strong },
          ...costCells(cost, seqlen),
          ...(prediction ? timeCells(prediction) : []),
        ]),
      ],
      '  ',
    )}`,
    ...(rates.length > 0
      ? [
          accountOf(
            paint,
            stacks.flatMap(({ prediction }) => prediction ?? []),
          ),
        ]
      : []),
  ].join('\n\n');
}

function findStack(name: string): { readonly stack: LayerStack; readonly source: string | null } {
  const preset = stackPresets.find(({ id }) => id === name);
  if (preset) return preset;
  if (!existsSync(name)) {
    const names = stackPresets.map(({ id }) => id).join(', ');
    throw new UsageError(`stack: "${name}" is neither a file nor one of ${names}.`);
  }
  const read = readStack(readFileSync(name, 'utf8'));
  if (!read.ok) throw new UsageError(`stack: ${name}: ${read.problem}`);
  return { stack: read.stack, source: null };
}

function costHeads(paint: Paint, timed: boolean): Cell[] {
  const titles = ['a token', 'bytes a further token', 'kept', 'decode step', 'decode step'];
  const times = timed ? ['prefill', 'decode'] : [];
  return [{ text: '' }, ...[...titles, ...times].map((text): Cell => ({ text, align: 'right', paint: paint.faint }))];
}

function layerRow(paint: Paint, layer: StackLayer, at: StackCase): Cell[] {
  const { mechanism, heads, headsKv, headDim, headDimV, window, repeat } = layer;
  const width = headDim === headDimV ? String(headDim) : `${headDim}/${headDimV}`;
  const shared = headsKv === null ? '' : `, ${headsKv} key heads`;
  const seen = window === null ? '' : `, ${layer.causal ? '' : '±'}${window} keys`;
  return [
    { text: `${repeat} × ${mechanism} ${heads}×${width}${shared}${seen}`, paint: paint.strong },
    ...costCells(layerCost(layer, at), at.seqlen),
  ];
}

function costCells({ prefillFlops, bytesPerToken, keptBytes, decode }: StackCost, seqlen: number): Cell[] {
  return [
    flopsText(prefillFlops / seqlen),
    count(bytesPerToken),
    bytesText(keptBytes),
    decode ? bytesText(decode.bytes) : '–',
    decode ? flopsText(decode.flops) : '–',
  ].map((text): Cell => ({ text, align: 'right' }));
}

function timeCells({ prefill, decode }: Prediction): Cell[] {
  return [prefill, decode].map((seconds): Cell => ({
    text: seconds === null ? '–' : duration(seconds * 1e9),
    align: 'right',
  }));
}

function accountOf(paint: Paint, predictions: readonly Prediction[]): string {
  const used = [...new Set(predictions.flatMap((prediction) => prediction.used))];
  const missing = [...new Set(predictions.flatMap((prediction) => prediction.missing))];
  const lines = used.map(({ kernel, direction, headDim, flopsPerSecond, bytesPerSecond }) =>
    direction === 'forward'
      ? `${kernel} (headDim ${headDim}) at ${short(flopsPerSecond / 1e9)} GFLOP/s`
      : `${kernel} (headDim ${headDim}) at ${short(bytesPerSecond / 1e9)} GB/s`,
  );
  const account = `Times are predictions, as if every kernel kept its measured rate: ${lines.join('; ') || 'none fits'}.`;
  const lack = missing.length === 0 ? '' : ` Not measured: ${missing.join(', ')}.`;
  return paint.faint(account + lack);
}

/** The rates in a file of `bench --json`; results that failed have none. */
function readRates(path: string): readonly MeasuredRate[] {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new UsageError(`stack: ${path} is no file of bench --json: ${error instanceof Error ? error.message : ''}`);
  }
  const results: unknown = (content as { results?: unknown } | null)?.results;
  if (!Array.isArray(results)) throw new UsageError(`stack: ${path} has no results. Write it with bench --json.`);
  return results.flatMap((result: Partial<MeasuredKernel> | null) => {
    const { kernel, mechanism, direction, shape, gpuTimeNs, flops, compulsoryBytes } = result ?? {};
    if (!kernel || !mechanism || !direction || !shape || !gpuTimeNs || !flops || !compulsoryBytes) return [];
    return rateOf({ kernel, mechanism, direction, shape, gpuTimeNs, flops, compulsoryBytes }) ?? [];
  });
}
