import type { AttributeElem, FnElem } from 'wesl/core';
import type { Span } from '../diagnostic.js';
import { type Lowering, reject, unsupported } from './lower-context.js';
import { constantInteger } from './lower-types.js';
import type { BuiltinInput, EntryFunction, FunctionDefinition, Value } from './program.js';
import { attributeArguments } from './resolve.js';

const inputs: readonly string[] = [
  'workgroup_id',
  'num_workgroups',
  'local_invocation_id',
  'local_invocation_index',
  'global_invocation_id',
  'subgroup_size',
  'subgroup_invocation_id',
  'subgroup_id',
  'num_subgroups',
  'global_invocation_index',
  'workgroup_index',
] satisfies BuiltinInput[];

/** Finds the attributes of a struct's member by the struct's name and the member's index. */
export type MemberAttributes = (structName: string, member: number) => readonly AttributeElem[] | undefined;

/** What the entry point is given, and the size of its workgroups. */
export function lowerEntry(
  lowering: Lowering,
  elem: FnElem,
  definition: FunctionDefinition,
  memberAttributes: MemberAttributes,
): EntryFunction {
  const span = lowering.span(elem.name);
  if (attributeArguments(elem.attributes, 'compute') === null) {
    return reject(span, `${definition.name} is no compute shader.`, 'Write @compute before it.');
  }
  const found = definition.parameters.flatMap((parameter, index) =>
    inputsOf(parameter, elem.params[index]?.attributes, memberAttributes),
  );
  return { function: definition, workgroupSize: workgroupSize(lowering, elem, span), inputs: found };
}

function workgroupSize(lowering: Lowering, elem: FnElem, span: Span): EntryFunction['workgroupSize'] {
  const size = (attributeArguments(elem.attributes, 'workgroup_size') ?? []).map((expression) => {
    const count = constantInteger(lowering, expression, 'A workgroup size');
    if (count >= 1) return count;
    return reject(lowering.span(expression), `A workgroup cannot have a size of ${count}.`, 'Use a positive integer.');
  });
  const [x, y = 1, z = 1] = size;
  if (x === undefined) return reject(span, 'This entry point has no @workgroup_size.', 'Write @workgroup_size(64).');
  return [x, y, z];
}

function inputsOf(
  parameter: Value,
  attributes: readonly AttributeElem[] | undefined,
  memberAttributes: MemberAttributes,
): EntryFunction['inputs'] {
  const { type, nameSpan } = parameter;
  if (type.kind !== 'struct') return [{ parameter, member: null, builtin: builtinOf(attributes, nameSpan) }];
  return type.members.map((_, member) => ({
    parameter,
    member,
    builtin: builtinOf(memberAttributes(type.name, member), nameSpan),
  }));
}

function builtinOf(attributes: readonly AttributeElem[] | undefined, span: Span): BuiltinInput {
  for (const { attribute } of attributes ?? []) {
    if (attribute.kind !== '@builtin') continue;
    const { name } = attribute.param;
    if (isInput(name)) return name;
    return unsupported(span, `The simulator does not know the built-in value ${name}.`, 'Use another one.');
  }
  return reject(span, 'This parameter of the entry point has no @builtin.', 'Say which value it takes.');
}

const isInput = (name: string): name is BuiltinInput => inputs.includes(name);
