import type { Component, Components, PendingTag } from './component.js';
import type { FunctionContext } from './emit-context.js';

/** Vectors of this many components have their tags made by one call. */
const laneCount = 4;

/**
 * The tag of what is made from both: sum, quotient, minimum. The cases without a call are written in place: they are
 * nearly all, and V8 would not inline as many calls as a tile's arithmetic has.
 */
export function joinTags(a: string, b: string, { writer }: FunctionContext): string {
  if (a === '0' || a === b) return b;
  if (b === '0') return a;
  return writer.temporary(`${a} === ${b} || ${b} === 0 ? ${a} : ${a} === 0 ? ${b} : join(${a}, ${b})`);
}

/** The tag of a product. */
export function multiplyTags(a: string, b: string, context: FunctionContext): string {
  return productTag(a, b, context).tag;
}

/** The tag of a product that may become part of a sum. */
export function productTag(a: string, b: string, { writer }: FunctionContext): Pick<Component, 'tag' | 'pending'> {
  if (a === '0' || b === '0') return { tag: a === '0' ? b : a, pending: null };
  const code = `${a} === 0 ? ${b} : ${b} === 0 ? ${a} : multiply(${a}, ${b})`;
  const { names, withdraw } = writer.withdrawable([code]);
  return { tag: names[0]!, pending: { factors: [a, b], withdraw, lanes: null } };
}

/**
 * The tag of a sum. Where a product is added, one call makes its tag and that of the sum: a tile's arithmetic is made of
 * multiply-adds, and half the calls are half the work of V8's compiler.
 */
export function sumTag(left: string, { tag, pending }: Component, context: FunctionContext): string {
  if (pending?.lanes !== null || left === '0') return joinTags(left, tag, context);
  pending.withdraw();
  const [a, b] = pending.factors;
  return context.writer.temporary(`${a} === 0 && ${b} === 0 ? ${left} : accumulate(${left}, ${a}, ${b})`);
}

/** Whether these components are a vector whose tags are made and told together. */
export function hasLanes(parts: Components): boolean {
  return parts.length === laneCount && parts.some(({ tag }) => tag !== '0');
}

/** What the components of vectors have for tags, made together; null where each is better made by itself. */
type LaneTags = readonly Pick<Component, 'tag' | 'pending'>[] | null;

const haveLanes = (left: Components, right: Components): boolean => hasLanes(left) && hasLanes(right);

/** The tags of products, component by component. */
export function productTags(left: Components, right: Components, context: FunctionContext): LaneTags {
  if (!haveLanes(left, right)) return null;
  const { names, withdraw } = context.writer.withdrawable(laneCodes('multiplyLanes', [tagsOf(left), tagsOf(right)]));
  const lanes: PendingTag['lanes'] = left.map(({ tag }, lane) => [tag, right[lane]!.tag]);
  return names.map((tag, lane) => ({ tag, pending: { factors: lanes[lane]!, withdraw, lanes } }));
}

/** The tags of sums, component by component. Products that are added whole have theirs made with those of the sums. */
export function sumTags(left: Components, right: Components, context: FunctionContext): LaneTags {
  if (!haveLanes(left, right)) return null;
  const product = right[0]!.pending;
  const lanes = product?.lanes;
  if (!lanes || !right.every(({ pending }, lane) => pending?.factors === lanes[lane])) {
    return joinedTags(left, right, context);
  }
  product.withdraw();
  const factors = ([0, 1] as const).map((side) => lanes.map((pair) => pair[side]));
  return written('accumulateLanes', [tagsOf(left), ...factors], context);
}

/** The tags of what is made from both, component by component. */
export function joinedTags(left: Components, right: Components, context: FunctionContext): LaneTags {
  if (!haveLanes(left, right)) return null;
  return written('joinLanes', [tagsOf(left), tagsOf(right)], context);
}

/** The tag of x0 y0 + x1 y1 + …; null where it is better made step by step. */
export function dotTag(left: Components, right: Components, context: FunctionContext): string | null {
  if (!haveLanes(left, right)) return null;
  return context.writer.temporary(callOf('dotTag', [tagsOf(left), tagsOf(right)]));
}

type Tags = readonly string[];

const tagsOf = (parts: Components): Tags => parts.map(({ tag }) => tag);

function callOf(name: string, operands: readonly Tags[]): string {
  return `${name}(${operands.flat().join(', ')})`;
}

/** A call gives the first tag; the others lie in TL. */
function laneCodes(name: string, operands: readonly Tags[]): readonly string[] {
  return [callOf(name, operands), ...Array.from({ length: laneCount - 1 }, (_, at) => `TL[${at + 1}]`)];
}

function written(name: string, operands: readonly Tags[], { writer }: FunctionContext): LaneTags {
  return laneCodes(name, operands).map((code) => ({ tag: writer.temporary(code), pending: null }));
}
