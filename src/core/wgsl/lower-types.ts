import type { AttributeElem, ExpressionElem, StructElem, TypeRefElem } from 'wesl/core';
import type { Span } from '../diagnostic.js';
import { type AnyMember, type AnyType, scalarType, typeText, vectorType, type Width } from './abstract-types.js';
import { type Lowering, reject, Rejection, unsupported } from './lower-context.js';
import { isRuntimeSized } from './layout.js';
import { typeOf } from './lower-operands.js';
import type { AddressSpace, PointerType } from './program.js';
import { attributeArguments } from './resolve.js';
import type { Scalar, SubgroupMatrixType, WgslType } from './types.js';

const scalars: Readonly<Record<string, Scalar>> = { f32: 'f32', f16: 'f16', i32: 'i32', u32: 'u32', bool: 'bool' };
const suffixes: Readonly<Record<string, Scalar>> = { f: 'f32', h: 'f16', i: 'i32', u: 'u32' };
const spaces: readonly string[] = ['function', 'private', 'workgroup', 'storage', 'uniform'] satisfies AddressSpace[];
const largestCount = 2 ** 32 - 1;

/** The type that a reference stands for. */
export function resolveType(lowering: Lowering, ref: TypeRefElem): AnyType {
  const entity = lowering.entity(ref.name);
  const span = lowering.span(ref);
  if (entity !== null) {
    if (entity.kind === 'type') return entity.type;
    if (entity.kind === 'broken') throw new Rejection(null);
    return reject(span, `${ref.name.originalName} is not a type.`, 'Name a type here.');
  }
  const name = ref.name.originalName;
  const parameters = ref.templateParams ?? [];
  const type = predeclaredType(lowering, name, parameters, span);
  if (type !== null) return type;
  if (/^(?:texture|sampler)/.test(name)) {
    return unsupported(span, `The simulator has no ${name}.`, 'Pass the data in a storage or uniform buffer.');
  }
  if (/^(?:vec[234]|mat[234]x[234]|array|atomic|ptr)$/.test(name)) {
    return reject(span, `The type ${name} needs other parameters.`, 'Write, for example, vec4<f32> or atomic<u32>.');
  }
  return unsupported(span, `The simulator does not know the type ${name}.`, 'Use one of the types of WGSL.');
}

/** A template parameter as a type. */
export function typeParameter(lowering: Lowering, parameter: ExpressionElem): AnyType {
  if (parameter.kind === 'type') return lowering.type(parameter);
  const { start, end } = parameter;
  if (parameter.kind === 'ref') return lowering.type({ kind: 'type', name: parameter.ident, start, end });
  return reject(lowering.span(parameter), 'This is not a type.', 'Name a type here.');
}

/** The word that a template parameter is, such as `function` or `read_write`; null where it is none. */
export function wordParameter(parameter: ExpressionElem | undefined): string | null {
  return parameter?.kind === 'ref' ? parameter.ident.originalName : null;
}

/** A type that WGSL itself declares, with its parameters put in; null where the name or the parameters are of none. */
function predeclaredType(
  lowering: Lowering,
  name: string,
  parameters: readonly ExpressionElem[],
  span: Span,
): AnyType | null {
  if (Object.hasOwn(scalars, name)) return scalarType(scalars[name]!);
  const short = /^(?:vec([234])|mat([234])x([234]))([fhiu])?$/.exec(name);
  if (short !== null) return numericType(lowering, short, parameters);
  switch (name) {
    case 'atomic': {
      const scalar = scalarParameter(lowering, parameters[0]);
      return scalar === 'i32' || scalar === 'u32' ? { kind: 'atomic', scalar } : null;
    }
    case 'array':
      return arrayType(lowering, parameters, span);
    case 'ptr':
      return pointerType(lowering, parameters, span);
    case 'subgroup_matrix_left':
    case 'subgroup_matrix_right':
    case 'subgroup_matrix_result':
      return subgroupMatrixType(lowering, name, parameters, span);
    default:
      return null;
  }
}

/** A vector or matrix type from the parts of its name: widths, and the suffix that stands for a parameter. */
function numericType(
  lowering: Lowering,
  [, width, columns, rows, suffix]: RegExpExecArray,
  parameters: readonly ExpressionElem[],
): AnyType | null {
  const scalar = suffix === undefined ? scalarParameter(lowering, parameters[0]) : suffixes[suffix]!;
  if (scalar === null) return null;
  if (width !== undefined) return vectorType(Number(width) as Width, scalar);
  if (scalar !== 'f32' && scalar !== 'f16') return null;
  return { kind: 'matrix', columns: Number(columns) as Width, rows: Number(rows) as Width, scalar };
}

function scalarParameter(lowering: Lowering, parameter: ExpressionElem | undefined): Scalar | null {
  if (parameter === undefined) return null;
  const type = typeParameter(lowering, parameter);
  return type.kind === 'scalar' ? (type.scalar as Scalar) : null;
}

function arrayType(lowering: Lowering, parameters: readonly ExpressionElem[], span: Span): AnyType | null {
  const [first, second] = parameters;
  if (first === undefined) return null;
  const element = storedType(typeParameter(lowering, first), lowering.span(first));
  if (isRuntimeSized(element)) {
    return reject(span, `An array of ${typeText(element)} has no fixed stride.`, 'Give the inner array a count.');
  }
  const count = second === undefined ? null : countParameter(lowering, second);
  return { kind: 'array', element, count };
}

/** A positive whole number that is known before the program runs. */
function countParameter(lowering: Lowering, parameter: ExpressionElem): number {
  const count = constantInteger(lowering, parameter, 'An array count');
  if (count >= 1 && count <= largestCount) return count;
  return reject(lowering.span(parameter), `An array cannot have ${count} elements.`, 'Use a positive integer.');
}

/** The value of a constant integer expression; `what` names it in the message where it is none. */
export function constantInteger(lowering: Lowering, expression: ExpressionElem, what: string): number {
  const operand = lowering.operand(expression);
  const type = typeOf(operand);
  const isInteger = type.kind === 'scalar' && ['i32', 'u32', 'abstract-int'].includes(type.scalar);
  if (operand.kind === 'constant' && isInteger) return Number(operand.value);
  const remedy = 'Use whole numbers, const and override values.';
  return reject(lowering.span(expression), `${what} must be a constant whole number.`, remedy);
}

function pointerType(lowering: Lowering, parameters: readonly ExpressionElem[], span: Span): PointerType {
  const [first, second, third] = parameters;
  const space = wordParameter(first);
  if (space === null || !spaces.includes(space) || second === undefined) {
    return reject(span, 'This pointer type is incomplete.', 'Write ptr<function, T>, or another address space.');
  }
  const access = wordParameter(third) ?? (space === 'storage' || space === 'uniform' ? 'read' : 'read_write');
  if (access !== 'read' && access !== 'read_write') {
    return unsupported(span, `The simulator has no pointers with access ${access}.`, 'Use read or read_write.');
  }
  const target = typeParameter(lowering, second);
  return { kind: 'pointer', space: space as AddressSpace, target: storedType(target, lowering.span(second)), access };
}

function subgroupMatrixType(
  lowering: Lowering,
  name: string,
  parameters: readonly ExpressionElem[],
  span: Span,
): SubgroupMatrixType {
  const [first, second, third] = parameters;
  const word = wordParameter(first);
  // i8 and u8 are types nowhere else.
  const scalar = word === 'i8' || word === 'u8' ? word : scalarParameter(lowering, first);
  if (scalar === null || scalar === 'bool' || second === undefined || third === undefined) {
    return reject(span, 'This subgroup matrix type is incomplete.', `Write ${name}<f32, 8, 8>.`);
  }
  return {
    kind: 'subgroup-matrix',
    use: name.slice('subgroup_matrix_'.length) as SubgroupMatrixType['use'],
    scalar,
    columns: countParameter(lowering, second),
    rows: countParameter(lowering, third),
  };
}

/** The type as one that lies in memory; rejects those that cannot. */
export function storedType(type: AnyType, span: Span): WgslType {
  switch (type.kind) {
    case 'pointer':
    case 'void':
      return reject(span, `${typeText(type)} cannot be stored.`, 'Use a type that lies in memory.');
    default:
      // Types that are written are concrete: only constants have abstract ones.
      return type as WgslType;
  }
}

/** The type of a struct declaration. */
export function structType(lowering: Lowering, elem: StructElem): AnyType {
  const members = elem.members.map((member): AnyMember => {
    const type = storedType(lowering.type(member.typeRef), lowering.span(member.typeRef));
    const attribute = (name: string): number | null => attributeInteger(lowering, member.attributes, name, `@${name}`);
    return { name: member.name.name, type, align: attribute('align'), size: attribute('size') };
  });
  return { kind: 'struct', name: elem.name.ident.originalName, members };
}

/** The constant integer that an attribute has as its only argument, or null where it is absent. */
export function attributeInteger(
  lowering: Lowering,
  attributes: readonly AttributeElem[] | undefined,
  name: string,
  what: string,
): number | null {
  const argument = attributeArguments(attributes, name)?.[0];
  return argument === undefined ? null : constantInteger(lowering, argument, what);
}
