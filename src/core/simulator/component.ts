import type { LeafScalar } from './flatten.js';

/** Bounds of an integer: of a u32 as an unsigned number, of an i32 as a signed one. Both ends belong to it. */
export interface Range {
  readonly low: number;
  readonly high: number;
}

/** The tag of a product, which may be made together with that of the sum it goes into. */
export interface PendingTag {
  readonly factors: readonly [string, string];
  /** Takes back what makes the tag by itself; where it is made together with others, those too. */
  readonly withdraw: () => void;
  /** The factors of all products whose tags are made together, in order; null where it is made alone. */
  readonly lanes: readonly (readonly [string, string])[] | null;
}

/**
 * One scalar of a value in the generated JavaScript. Integers are int32 whatever their type (a u32 is made unsigned
 * only where the sign matters), floats are doubles that hold a value of their own format, booleans are booleans. A
 * subgroup matrix is one object, or null where all its elements are zero.
 */
export interface Component {
  /** A JavaScript expression without side effects. */
  readonly code: string;
  /** True for names and literals, which may be repeated. */
  readonly atomic: boolean;
  /** False where the code names a variable that may change later. */
  readonly stable: boolean;
  /** A product before it was rounded, for a sum to be fused with (WGSL allows it), else null. */
  readonly product: string | null;
  /** What an integer is known to lie in, or null. */
  readonly range: Range | null;
  /** Name of the tag of its provenance; `0` where it has none. */
  readonly tag: string;
  /** Of a product of tagged values whose tag nobody has asked for yet, else null. */
  readonly pending: PendingTag | null;
  /** Name of the exact value of an integer that may have wrapped round, where that is watched, else null. */
  readonly exact: string | null;
}

export type Components = readonly Component[];

/** Every component is made here, with all its fields at once: copies of a common part cost more than all else there is. */
function component(code: string, atomic: boolean, stable: boolean, range: Range | null): Component {
  return { code, atomic, stable, product: null, range, tag: '0', pending: null, exact: null };
}

/** A component that is an expression. */
export function computed(code: string): Component {
  return component(code, false, false, null);
}

/** A component whose value is left out, with nothing but its tag, which never changes. */
export function tagOnly(scalar: LeafScalar, tag: string): Component {
  return { ...component(scalar === 'matrix' ? 'null' : '0', true, true, null), tag };
}

/**
 * The component without its value, which is left out. Its tag is as stable as the value was, and that of a product stays one
 * that a sum may make with its own.
 */
export function withoutValue(scalar: LeafScalar, { atomic, stable, tag, pending }: Component): Component {
  return { ...tagOnly(scalar, tag), stable: stable || !atomic, pending };
}

/** A component that is a name which never changes. */
export function named(code: string): Component {
  return component(code, true, true, null);
}

/** A component that is a variable's name. */
export function variable(code: string): Component {
  return component(code, true, false, null);
}

/** A literal of the given scalar type; of a matrix its zero, whatever the value. */
export function literal(scalar: LeafScalar, value: number | boolean): Component {
  if (scalar === 'matrix') return component('null', true, true, null);
  if (typeof value === 'boolean' || scalar === 'bool') return component(String(Boolean(value)), true, true, null);
  if (scalar === 'i32' || scalar === 'u32') {
    return component(parenthesised(value | 0), true, true, { low: value, high: value });
  }
  return component(parenthesised(value), true, true, null);
}

function parenthesised(value: number): string {
  return value < 0 || Object.is(value, -0) ? `(${Object.is(value, -0) ? '-0' : value})` : String(value);
}

/** The value of a literal integer component, or null. */
export function constantOf({ range }: Component): number | null {
  return range !== null && range.low === range.high ? range.low : null;
}

/** The largest value with the sign bit clear: up to it i32 and u32 look alike. */
export const maxI32 = 0x7fffffff;

/** True where a range is known to need no sign. */
export function isSmall(range: Range | null): range is Range {
  return range !== null && range.low >= 0 && range.high <= maxI32;
}
