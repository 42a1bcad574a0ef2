import type {
  ComponentExpression,
  ComponentMemberExpression,
  ExpressionElem,
  RefIdentElem,
  UnaryExpression,
} from 'wesl/core';
import {
  type AnyType,
  concreteType,
  elementCount,
  elementType,
  scalarType,
  type StructureType,
  typeText,
  vectorType,
  type Width,
} from './abstract-types.js';
import type { Folded } from './constant-fold.js';
import { binaryTree, type BinaryTree } from './binary-tree.js';
import { lowerCall } from './lower-calls.js';
import { type Lowering, reject, Rejection } from './lower-context.js';
import { lowerLiteral } from './lower-literals.js';
import {
  computed,
  constant,
  type Constant,
  expressionOf,
  type Loaded,
  loaded,
  memoryOf,
  type Operand,
  spanOf,
  typeOf,
} from './lower-operands.js';
import { lowerBinary, lowerLogical, lowerUnary } from './lower-operators.js';
import { nearestName } from './names.js';
import type { Expression, Place } from './program.js';
import type { Span } from '../diagnostic.js';
import type { WgslType } from './types.js';

/** What an expression of the syntax tree stands for. */
export function lowerExpression(lowering: Lowering, elem: ExpressionElem): Operand {
  const span = lowering.span(elem);
  switch (elem.kind) {
    case 'literal':
      return lowerLiteral(elem.value, span);
    case 'parenthesized-expression':
      return lowering.operand(elem.expression);
    case 'ref':
      return lowerName(lowering, elem, span);
    case 'type':
      return reject(span, `${elem.name.originalName} is a type, not a value.`, 'Call it to make a value: T(…).');
    case 'component-expression':
      return lowerIndex(lowering, elem, span);
    case 'component-member-expression':
      return lowerMember(lowering, elem, span);
    case 'unary-expression':
      return lowerUnaryExpression(lowering, elem, span);
    case 'binary-expression':
      return lowerTree(lowering, binaryTree(elem));
    case 'call-expression':
      return lowerCall(lowering, elem, span);
  }
}

function lowerTree(lowering: Lowering, tree: BinaryTree): Operand {
  if (tree.kind === 'leaf') return lowering.operand(tree.elem);
  const { operator } = tree;
  const span = lowering.span(tree);
  const left = lowering.nested(tree, () => lowerTree(lowering, tree.left));
  const right = (): Operand => lowering.nested(tree, () => lowerTree(lowering, tree.right));
  if (operator === '&&' || operator === '||') return lowerLogical(operator, left, right, span);
  return lowerBinary(operator, left, right(), span);
}

function lowerName(lowering: Lowering, { ident }: RefIdentElem, span: Span): Operand {
  const entity = lowering.entity(ident);
  const name = ident.originalName;
  switch (entity?.kind) {
    case 'constant':
      return constant(entity.constant.type, entity.constant.value, span);
    case 'variable': {
      const { variable } = entity;
      return { kind: 'place', place: { kind: 'variable', variable, type: variable.type, span } };
    }
    case 'value':
      return computed({ kind: 'value', value: entity.value, type: entity.value.type, span });
    case 'function':
      return reject(span, `${name} is a function, not a value.`, `Call it: ${name}(…).`);
    case 'type':
      return reject(span, `${name} is a type, not a value.`, `Call it to make a value: ${name}(…).`);
    case 'broken':
      throw new Rejection(null);
    case undefined:
      return reject(span, `Nothing declares ${name}.`, `Declare ${name}, or correct its spelling.`);
  }
}

/** What a pointer points at; any other operand as it is. */
export function dereferenced(operand: Operand, span: Span): Operand {
  if (operand.kind !== 'computed') {
    // A let can hold a pointer, memory cannot.
    return operand;
  }
  const { expression } = operand;
  if (expression.type.kind !== 'pointer') return operand;
  if (expression.kind === 'address') return { kind: 'place', place: { ...expression.place, span } };
  const place = { kind: 'dereference', pointer: expression, type: expression.type.target, span } as const;
  return { kind: 'place', place };
}

function lowerUnaryExpression(lowering: Lowering, elem: UnaryExpression, span: Span): Operand {
  const operator = elem.operator.value;
  const operand = lowering.operand(elem.expression);
  if (operator === '*') {
    const target = dereferenced(operand, span);
    if (target.kind === 'place' && operand.kind !== 'place') return target;
    return reject(span, `* needs a pointer, and this is of type ${typeText(typeOf(operand))}.`, 'Leave out the *.');
  }
  if (operator === '&') return addressOf(operand, span);
  return lowerUnary(operator, operand, span);
}

function addressOf(operand: Operand, span: Span): Operand {
  if (operand.kind !== 'place') {
    return reject(span, '& needs a place in memory, and this is a value.', 'Put the value into a var first.');
  }
  const { place } = operand;
  const target = place.type;
  const isComponent = place.kind === 'element' && place.base.type.kind === 'vector';
  if (isComponent) {
    return reject(
      span,
      'A component of a vector has no address.',
      'Point at the vector, and index through the pointer.',
    );
  }
  const { space, access } = memoryOf(place);
  return computed({ kind: 'address', place, type: { kind: 'pointer', space, target, access }, span });
}

function lowerIndex(lowering: Lowering, elem: ComponentExpression, span: Span): Operand {
  const base = dereferenced(lowering.operand(elem.base), lowering.span(elem.base));
  const baseType = typeOf(base);
  const type = elementType(baseType);
  if (type === null) {
    const remedy = 'Index arrays, matrices and vectors.';
    return reject(span, `A value of type ${typeText(baseType)} has no elements.`, remedy);
  }
  const index = loaded(lowering.operand(elem.access));
  const at = indexExpression(index, baseType);
  if (base.kind === 'place') return { kind: 'place', place: element(base.place, at, type, span) };
  if (base.kind === 'constant') {
    if (index.kind === 'constant') {
      return constant(type, (base.value as readonly Folded[])[Number(index.value)]!, span);
    }
    return computed({ kind: 'element', base: expressionOf(base), index: at, type: concreteType(type), span });
  }
  return computed({ kind: 'element', base: base.expression, index: at, type: concreteType(type), span });
}

const element = (base: Place, index: Expression, type: AnyType, span: Span): Place => ({
  kind: 'element',
  base,
  index,
  // The elements of what lies in memory lie in memory.
  type: type as WgslType,
  span,
});

/** An index as i32 or u32. A constant one must be within the type. */
function indexExpression(index: Loaded, base: AnyType): Expression {
  const type = typeOf(index);
  const span = spanOf(index);
  if (type.kind !== 'scalar' || !['i32', 'u32', 'abstract-int'].includes(type.scalar)) {
    return reject(span, `An index must be i32 or u32, and this is ${typeText(type)}.`, 'Convert it: u32(…).');
  }
  if (index.kind === 'constant') {
    const count = elementCount(base);
    const value = Number(index.value);
    if (value < 0 || (count !== null && value >= count)) {
      const range = count === null ? '0 or more' : `0 to ${count - 1}`;
      return reject(span, `Index ${value} is outside of ${typeText(base)}.`, `Use an index from ${range}.`);
    }
  }
  return expressionOf(index);
}

function lowerMember(lowering: Lowering, elem: ComponentMemberExpression, span: Span): Operand {
  const base = dereferenced(lowering.operand(elem.base), lowering.span(elem.base));
  const type = typeOf(base);
  const { name } = elem.access;
  if (type.kind === 'vector') return lowerSwizzle(base, name, type.width, span);
  if (type.kind !== 'struct') {
    return reject(span, `A value of type ${typeText(type)} has no members.`, 'Use a struct or a vector.');
  }
  return memberOf(base, type, name, span);
}

function memberOf(base: Operand, type: StructureType, name: string, span: Span): Operand {
  const member = type.members.findIndex((candidate) => candidate.name === name);
  const found = type.members[member];
  if (found === undefined) {
    const names = type.members.map((candidate) => candidate.name);
    const near = nearestName(name, names);
    const remedy = near === null ? `Its members are ${names.join(', ')}.` : `Did you mean ${near}?`;
    return reject(span, `${type.name} has no member ${name}.`, remedy);
  }
  if (base.kind === 'constant') return constant(found.type, (base.value as readonly Folded[])[member]!, span);
  if (base.kind === 'place') {
    // Members of what lies in memory have types of memory.
    const place = { kind: 'member', base: base.place, member, type: found.type as WgslType, span } as const;
    return { kind: 'place', place };
  }
  return computed({ kind: 'member', base: base.expression, member, type: concreteType(found.type), span });
}

function lowerSwizzle(base: Operand, name: string, width: Width, span: Span): Operand {
  const letters = /^[xyzw]{1,4}$/.test(name) ? 'xyzw' : /^[rgba]{1,4}$/.test(name) ? 'rgba' : null;
  const components = letters === null ? [] : Array.from(name, (letter) => letters.indexOf(letter));
  if (components.length === 0 || components.some((component) => component >= width)) {
    const known = 'xyzw'.slice(0, width).split('').join(' ');
    return reject(span, `vec${width} has no component ${name}.`, `Its components are ${known}.`);
  }
  const [first] = components;
  if (base.kind === 'place' && components.length === 1 && base.place.type.kind === 'vector') {
    const index = { kind: 'constant', value: first!, type: { kind: 'scalar', scalar: 'u32' }, span } as const;
    return { kind: 'place', place: element(base.place, index, scalarType(base.place.type.scalar), span) };
  }
  return swizzle(loaded(base), components, span);
}

function swizzle(value: Loaded, components: readonly number[], span: Span): Operand {
  const scalar = scalarOfVector(typeOf(value));
  const isOne = components.length === 1;
  const type = isOne ? scalarType(scalar) : vectorType(components.length as Width, scalar);
  if (value.kind === 'constant') return swizzledConstant(value, components, type, span);
  return computed({ kind: 'swizzle', base: value.expression, components, type: concreteType(type), span });
}

function swizzledConstant(value: Constant, components: readonly number[], type: AnyType, span: Span): Operand {
  const parts = value.value as readonly Folded[];
  const chosen = components.map((component) => parts[component]!);
  return constant(type, components.length === 1 ? chosen[0]! : chosen, span);
}

function scalarOfVector(type: AnyType): Parameters<typeof scalarType>[0] {
  return type.kind === 'vector' ? type.scalar : 'f32';
}
