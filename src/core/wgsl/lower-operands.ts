import type { Span } from '../diagnostic.js';
import {
  type AnyType,
  concreteType,
  converts,
  isConcrete,
  isConstructible,
  sameType,
  typeText,
} from './abstract-types.js';
import { concreteValue, convertedConstant, type Folded } from './constant-fold.js';
import { folding, reject } from './lower-context.js';
import type { AddressSpace, Expression, Place, PointerType } from './program.js';

/**
 * What an expression stands for while it is lowered: a constant, maybe of an abstract type; a place in memory, of which
 * the context decides whether it is loaded; or a value that is computed.
 */
export type Operand = Constant | { readonly kind: 'place'; readonly place: Place } | Computed;

export interface Constant {
  readonly kind: 'constant';
  readonly type: AnyType;
  readonly value: Folded;
  readonly span: Span;
}

export interface Computed {
  readonly kind: 'computed';
  readonly expression: Expression;
}

export const constant = (type: AnyType, value: Folded, span: Span): Constant => ({
  kind: 'constant',
  type,
  value,
  span,
});
export const computed = (expression: Expression): Operand => ({ kind: 'computed', expression });

/** A constant or a value: what an operand is once a place has been loaded. */
export type Loaded = Constant | Computed;

/** The type of the value that the operand is or that the place holds. */
export function typeOf(operand: Operand): AnyType {
  if (operand.kind === 'constant') return operand.type;
  return operand.kind === 'place' ? operand.place.type : operand.expression.type;
}

/** Where the operand stands in the kernel file. */
export function spanOf(operand: Operand): Span {
  if (operand.kind === 'constant') return operand.span;
  return operand.kind === 'place' ? operand.place.span : operand.expression.span;
}

/** Address space and access of the memory that a place lies in. */
export function memoryOf(place: Place): { readonly space: AddressSpace; readonly access: 'read' | 'read_write' } {
  let at = place;
  while (at.kind === 'element' || at.kind === 'member') at = at.base;
  if (at.kind === 'variable') return at.variable;
  return at.pointer.type as PointerType;
}

/** The operand as a value: a place is loaded ("load rule"). */
export function loaded(operand: Operand): Loaded {
  if (operand.kind !== 'place') return operand;
  const { place } = operand;
  if (!isConstructible(place.type)) {
    const remedy =
      place.type.kind === 'atomic'
        ? 'Use atomicLoad and its siblings.'
        : 'Read its elements, or take its address with &.';
    return reject(place.span, `A value of type ${typeText(place.type)} cannot be read as a whole.`, remedy);
  }
  return { kind: 'computed', expression: { kind: 'load', place, type: place.type, span: place.span } };
}

/**
 * The operand as an expression of the type `wanted`, converted where that needs not be written; of its own type, with
 * abstract parts concrete, where none is wanted.
 */
export function expressionOf(operand: Operand, wanted: AnyType | null = null): Expression {
  const value = loaded(operand);
  const type = typeOf(value);
  const target = concreteType(wanted ?? type);
  if (value.kind === 'computed') {
    if (sameType(type, target)) return value.expression;
    return mismatch(value, target);
  }
  if (!converts(type, target) || !isConcrete(target)) return mismatch(value, target);
  const folded = folding(value.span, () => concreteValue(convertedConstant(value, target)));
  return { kind: 'constant', type: target, value: folded, span: value.span };
}

function mismatch(operand: Operand, wanted: AnyType): never {
  const [found, asked] = [typeText(typeOf(operand)), typeText(wanted)];
  const remedy = wanted.kind === 'pointer' ? 'Pass another pointer.' : `Convert it: ${asked}(…).`;
  return reject(spanOf(operand), `This is of type ${found}, and ${asked} is needed.`, remedy);
}

/** A constant taken as another type by a conversion that need not be written. */
export function convertedTo(value: Constant, type: AnyType): Constant {
  return constant(
    type,
    folding(value.span, () => convertedConstant(value, type)),
    value.span,
  );
}
