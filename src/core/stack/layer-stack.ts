import {
  completeOptions,
  completeShape,
  compulsoryBytes,
  findComputation,
  findMechanism,
} from '../attention/catalogue.js';
import type { Computation, Mechanism, Options, Shape, TensorSpec } from '../attention/mechanism.js';
import { elementCount, tensorDims } from '../attention/sizes.js';

/** A kind of layer of a model and how often it stands there in a row: attention alone, weights left out. */
export interface StackLayer {
  /** Id of a mechanism that keeps a state, or one whose keys and values are kept. */
  readonly mechanism: string;
  readonly heads: number;
  /** Key and value heads where neighbouring heads of queries share one; null where each has its own. */
  readonly headsKv: number | null;
  readonly headDim: number;
  readonly headDimV: number;
  /** Keys before its own (and, where not causal, after it) that a query sees; null for all. */
  readonly window: number | null;
  readonly causal: boolean;
  readonly repeat: number;
}

/** The attention layers of a model in their order. */
export interface LayerStack {
  readonly title: string;
  readonly layers: readonly StackLayer[];
}

/** How long a sequence is, and how its numbers are stored. */
export interface StackCase {
  /** Tokens of the sequence, all of them read already where the next one is decoded. */
  readonly seqlen: number;
  /** Bytes of a number of q, k, v, o and of a cache. */
  readonly elementBytes: number;
  /** Bytes of a number of a state, which is kept in f32 as a rule. */
  readonly stateBytes: number;
}

/** What one layer costs one sequence. Operations are floating-point ones, 2 for each multiply-add. */
export interface LayerCost {
  /** Operations of the whole sequence at once. */
  readonly prefillFlops: number;
  /** What stays between tokens: a state, a cache that grows, or one that a window bounds. */
  readonly kept: 'state' | 'cache' | 'window';
  /** Bytes that a further token adds to a cache; 0 for a state, and for a window that is full. */
  readonly bytesPerToken: number;
  /** Bytes of the cache or the state after the sequence. */
  readonly keptBytes: number;
  /** Operations and unavoidable bytes of the token after the sequence; null where all tokens see each other. */
  readonly decode: { readonly flops: number; readonly bytes: number } | null;
}

/** What is wrong with a layer, in words, or null. */
export function invalidStackLayer(layer: StackLayer): string | null {
  const mechanism = findMechanism(layer.mechanism);
  if (mechanism === null) return `There is no mechanism "${layer.mechanism}".`;
  for (const name of ['heads', 'headsKv', 'headDim', 'headDimV', 'repeat', 'window'] as const) {
    const size = layer[name];
    const least = name === 'window' ? 0 : 1;
    if (size !== null && (!Number.isInteger(size) || size < least)) {
      return `${name} is ${size}, and must be a whole number of at least ${least}.`;
    }
  }
  const forward = findComputation(mechanism, 'forward');
  const sizes = mechanism.dimensions.map(({ name }) => name);
  if (!sizes.includes('heads') || !sizes.includes('headDim')) {
    return `${mechanism.title} has no heads of headDim, and makes no layer.`;
  }
  if (layer.headsKv !== null && !sizes.includes('headsKv')) {
    return `${mechanism.title} has no key and value heads of its own (headsKv).`;
  }
  if (forward === null || (statesOf(mechanism).length === 0 && cacheOf(forward).length === 0)) {
    return `${mechanism.title} keeps neither a state nor a cache, and makes no layer.`;
  }
  if (layer.window !== null && !mechanism.options.some(({ kind }) => kind === 'window')) {
    return `${mechanism.title} has no window.`;
  }
  if (!layer.causal && statesOf(mechanism).length > 0 && !mechanism.options.some(({ name }) => name === 'causal')) {
    return `${mechanism.title} is causal by its equations.`;
  }
  const shape = shapeOf(mechanism, layer, 16, 16);
  return mechanism.validate(shape, optionsOf(mechanism, layer, shape));
}

/** What one of the layers costs, from the mechanism's own formulas. Throws where `invalidStackLayer` finds something. */
export function layerCost(layer: StackLayer, { seqlen, elementBytes, stateBytes }: StackCase): LayerCost {
  const mechanism = findMechanism(layer.mechanism);
  const forward = mechanism && findComputation(mechanism, 'forward');
  if (!mechanism || !forward) throw new Error(`A layer of "${layer.mechanism}" has no costs: check it first.`);
  const shape = shapeOf(mechanism, layer, seqlen, seqlen);
  const options = optionsOf(mechanism, layer, shape);
  const states = statesOf(mechanism);
  const moved = (computation: Computation, at: Shape, also: readonly string[]): number =>
    compulsoryBytes(
      computation,
      at,
      computation.tensors
        .filter(({ name, required }) => required || also.includes(name))
        .map(({ name }) => ({ name, bytesPerElement: isState(mechanism, name) ? stateBytes : elementBytes })),
    );
  const prefillFlops = forward.flops(shape, options);
  const step = findComputation(mechanism, 'decode') ?? forward;
  if (states.length > 0 && layer.causal) {
    const one = shapeOf(mechanism, layer, 1, 1);
    const outputs = forward.tensors.filter(({ name }) => states.includes(name));
    return {
      prefillFlops,
      kept: 'state',
      bytesPerToken: 0,
      keptBytes: elementsOf(outputs, shape) * stateBytes,
      decode: {
        flops: step.flops(one, optionsOf(mechanism, layer, one)),
        bytes: moved(step, one, Object.entries(mechanism.recurrence!.states).flat()),
      },
    };
  }
  const reach = layer.causal && layer.window !== null ? Math.min(seqlen, layer.window + 1) : seqlen;
  const next = shapeOf(mechanism, layer, 1, reach);
  const perToken = elementsOf(cacheOf(forward), { ...shape, seqlenK: 1 }) * elementBytes;
  return {
    prefillFlops,
    kept: layer.window === null ? 'cache' : 'window',
    bytesPerToken: reach < seqlen ? 0 : perToken,
    keptBytes: perToken * reach,
    decode: layer.causal
      ? { flops: step.flops(next, optionsOf(mechanism, layer, next)), bytes: moved(step, next, []) }
      : null,
  };
}

/** Costs of all layers of a stack together. */
export type StackCost = Omit<LayerCost, 'kept'>;

/** The sum of costs of layers, each as often as it repeats; no decode step where one of the layers has none. */
export function stackCost(stack: LayerStack, at: StackCase): StackCost {
  const costs = kindsOf(stack).map((layer) => ({ cost: layerCost(layer, at), repeat: layer.repeat }));
  const sum = (of: (cost: LayerCost) => number): number =>
    costs.reduce((total, { cost, repeat }) => total + repeat * of(cost), 0);
  return {
    prefillFlops: sum(({ prefillFlops }) => prefillFlops),
    bytesPerToken: sum(({ bytesPerToken }) => bytesPerToken),
    keptBytes: sum(({ keptBytes }) => keptBytes),
    decode: costs.every(({ cost }) => cost.decode !== null)
      ? { flops: sum(({ decode }) => decode!.flops), bytes: sum(({ decode }) => decode!.bytes) }
      : null,
  };
}

/** The stack with every layer of one mechanism, at the same heads and widths and without windows: its twin. */
export function twinOf(stack: LayerStack, mechanism: 'softmax-attention' | 'lightning-attention'): LayerStack {
  const shared = stack.layers.find(({ headsKv }) => headsKv !== null)?.headsKv ?? null;
  const softmax = mechanism === 'softmax-attention';
  const layers = stack.layers.map((layer) => ({
    ...layer,
    mechanism,
    headsKv: softmax && shared !== null && layer.heads % shared === 0 ? shared : null,
    window: null,
    causal: softmax ? layer.causal : true,
  }));
  return { title: softmax ? 'all softmax' : 'all lightning', layers: merged(layers) };
}

/** Each kind of layer once, with how often it stands anywhere in the stack. */
export function kindsOf({ layers }: LayerStack): readonly StackLayer[] {
  const kinds = new Map<string, StackLayer>();
  for (const layer of layers) {
    const key = JSON.stringify({ ...layer, repeat: 0 });
    const known = kinds.get(key);
    kinds.set(key, known ? { ...known, repeat: known.repeat + layer.repeat } : layer);
  }
  return [...kinds.values()];
}

/** Layers with neighbours of one kind made one entry. */
export function merged(layers: readonly StackLayer[]): readonly StackLayer[] {
  const runs: StackLayer[] = [];
  for (const layer of layers) {
    const before = runs.at(-1);
    if (before && JSON.stringify({ ...before, repeat: 0 }) === JSON.stringify({ ...layer, repeat: 0 })) {
      runs[runs.length - 1] = { ...before, repeat: before.repeat + layer.repeat };
    } else runs.push(layer);
  }
  return runs;
}

function shapeOf(mechanism: Mechanism, layer: StackLayer, seqlen: number, seqlenK: number): Shape {
  const { heads, headsKv, headDim, headDimV } = layer;
  const given = { batch: 1, heads, headsKv: headsKv ?? heads, seqlen, seqlenK, headDim, headDimV };
  return completeShape(mechanism, given);
}

function optionsOf(mechanism: Mechanism, { causal, window }: StackLayer, shape: Shape): Options {
  const given: Options = window === null ? { causal } : { causal, window: [window, causal ? 0 : window] };
  return completeOptions(mechanism, shape, given);
}

/** The outputs that hold a mechanism's state. */
function statesOf({ recurrence }: Mechanism): readonly string[] {
  return recurrence === null ? [] : Object.keys(recurrence.states);
}

function isState({ recurrence }: Mechanism, name: string): boolean {
  return recurrence !== null && Object.entries(recurrence.states).flat().includes(name);
}

/** The inputs of which every token of the context has a part: what is kept where there is no state. */
function cacheOf({ tensors }: Computation): readonly TensorSpec[] {
  return tensors.filter(({ role, dims }) => role === 'input' && dims.includes('seqlenK'));
}

function elementsOf(tensors: readonly TensorSpec[], shape: Shape): number {
  return tensors.reduce((sum, { dims }) => sum + elementCount(tensorDims(dims, shape)), 0);
}
