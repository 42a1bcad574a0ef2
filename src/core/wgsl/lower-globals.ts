import type { GlobalVarElem, OverrideElem } from 'wesl/core';
import {
  type AnyType,
  concreteType,
  holdsSubgroupMatrix,
  isConstructible,
  scalarType,
  typeText,
} from './abstract-types.js';
import { castConstant, settle } from './constant-fold.js';
import { folding, type Lowering, reject, unsupported } from './lower-context.js';
import { type Constant, constant, expressionOf, loaded } from './lower-operands.js';
import { asDeclared } from './lower-declarations.js';
import { attributeInteger, storedType } from './lower-types.js';
import type { Expression, Variable } from './program.js';
import type { WgslType } from './types.js';

/** The value of an override: the one given from outside, else its default. */
export function lowerOverride(
  lowering: Lowering,
  elem: OverrideElem,
  constants: Readonly<Record<string, number>>,
): Constant {
  const { decl, typeRef } = elem.name;
  const span = lowering.span(decl);
  const name = decl.ident.originalName;
  const initial = elem.init === undefined ? null : loaded(lowering.operand(elem.init));
  if (initial !== null && initial.kind !== 'constant') {
    return reject(initial.expression.span, `The default of ${name} is not constant.`, 'Use const and override values.');
  }
  const type = typeRef !== undefined ? lowering.type(typeRef) : initial === null ? null : concreteType(initial.type);
  if (type?.kind !== 'scalar') {
    return reject(span, `The type of override ${name} cannot be told.`, 'Give it one of f32, f16, i32, u32 and bool.');
  }
  const { scalar } = type;
  if (!Object.hasOwn(constants, name)) {
    if (initial !== null) return asDeclared(initial, type);
    return reject(span, `Override ${name} has no value.`, 'Give it one under constants, or a default.');
  }
  const given = constants[name]!;
  const value = scalar === 'bool' ? castConstant(given, 'f32', scalar) : folding(span, () => settle(given, scalar));
  return constant(scalarType(scalar), value, span);
}

const moduleSpaces = ['private', 'workgroup', 'storage', 'uniform'] as const;

/** A variable of module scope. */
export function lowerGlobalVariable(lowering: Lowering, elem: GlobalVarElem): Variable {
  const { decl, typeRef } = elem.name;
  const nameSpan = lowering.span(decl);
  const name = decl.ident.originalName;
  const words = elem.template?.map((word) => word.name) ?? [];
  const space = moduleSpaces.find((candidate) => candidate === words[0]);
  if (space === undefined) {
    if (words[0] === undefined) {
      return unsupported(nameSpan, `${name} is no buffer, and the simulator knows only buffers.`, 'Use var<storage>.');
    }
    return unsupported(nameSpan, `The simulator has no address space ${words[0]}.`, 'Use storage or uniform buffers.');
  }
  const initial = initializerOf(lowering, elem);
  const declared = typeRef === undefined ? null : lowering.type(typeRef);
  const type = declared ?? initial?.type;
  if (type === undefined) return reject(nameSpan, `${name} has neither a type nor a value.`, 'Give it a type.');
  const isBuffer = space === 'storage' || space === 'uniform';
  return {
    id: lowering.newId(),
    name,
    space,
    access: space === 'uniform' || (space === 'storage' && words[1] !== 'read_write') ? 'read' : 'read_write',
    type: variableType(type, space, lowering.span(typeRef ?? decl)),
    binding: isBuffer ? bindingOf(lowering, elem) : null,
    initializer: initial,
    span: lowering.span(elem),
    nameSpan,
  };
}

function initializerOf(lowering: Lowering, { init, name }: GlobalVarElem): Expression | null {
  if (init === undefined) return null;
  const type = name.typeRef === undefined ? null : lowering.type(name.typeRef);
  return expressionOf(loaded(lowering.operand(init)), type);
}

function variableType(type: AnyType, space: (typeof moduleSpaces)[number], span: Variable['span']): WgslType {
  const stored = storedType(type, span);
  if (space !== 'private' && holdsSubgroupMatrix(stored)) {
    const remedy = 'Declare an array of its elements, and load and store the matrix there.';
    return reject(span, `A ${space} variable cannot hold subgroup matrices.`, remedy);
  }
  if (space === 'private' && !isConstructible(stored)) {
    return reject(span, `A private variable cannot be of type ${typeText(stored)}.`, 'Use a type of a fixed size.');
  }
  return stored;
}

function bindingOf(lowering: Lowering, elem: GlobalVarElem): Variable['binding'] {
  const group = attributeInteger(lowering, elem.attributes, 'group', '@group');
  const binding = attributeInteger(lowering, elem.attributes, 'binding', '@binding');
  if (group !== null && binding !== null) return { group, binding };
  const span = lowering.span(elem.name.decl);
  return reject(span, 'This buffer has no place among the bindings.', 'Write @group(0) @binding(n) before var.');
}
