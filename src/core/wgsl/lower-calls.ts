import type { ExpressionElem, FunctionCallExpression, RefIdent } from 'wesl/core';
import type { Span } from '../diagnostic.js';
import type { BuiltinCall } from './builtin-call.js';
import { lowerBuiltin } from './lower-builtins.js';
import { construct, constructInferred } from './lower-constructors.js';
import { type Lowering, reject, Rejection } from './lower-context.js';
import { computed, expressionOf, type Loaded, loaded, type Operand } from './lower-operands.js';

const typeName = /^(?:f32|f16|i32|u32|bool|vec[234][fhiu]?|mat[234]x[234][fh]?|array|subgroup_matrix_.*)$/;
const inferredName = /^(?:vec[234]|mat[234]x[234]|array)$/;

/** What a call names: its identifier, and the template parameters after it. */
interface Callee {
  readonly ident: RefIdent;
  readonly templates: readonly ExpressionElem[];
}

function calleeOf({ function: target, templateArgs }: FunctionCallExpression): Callee {
  return target.kind === 'type'
    ? { ident: target.name, templates: target.templateParams ?? [] }
    : { ident: target.ident, templates: templateArgs ?? [] };
}

/** The name of the function that a call calls where it is one of WGSL's own, else null. */
export function builtinName(lowering: Lowering, elem: FunctionCallExpression): string | null {
  const { ident } = calleeOf(elem);
  const name = ident.originalName;
  return lowering.entity(ident) !== null || typeName.test(name) ? null : name;
}

/** A call of one of WGSL's own functions with its arguments lowered. */
export function builtinCall(lowering: Lowering, elem: FunctionCallExpression, name: string): BuiltinCall {
  const { templates } = calleeOf(elem);
  return { name, templates, args: argumentsOf(lowering, elem), span: lowering.span(elem) };
}

const argumentsOf = (lowering: Lowering, elem: FunctionCallExpression): Loaded[] =>
  elem.arguments.map((argument) => loaded(lowering.operand(argument)));

/** A call: of a function of the text, of a type, or of one of WGSL's own functions. */
export function lowerCall(lowering: Lowering, elem: FunctionCallExpression, span: Span): Operand {
  const { ident, templates } = calleeOf(elem);
  const name = ident.originalName;
  const entity = lowering.entity(ident);
  switch (entity?.kind) {
    case 'function':
      return callFunction(lowering, elem, entity, span);
    case 'type':
      return construct(entity.type, argumentsOf(lowering, elem), span);
    case 'broken':
      throw new Rejection(null);
    case undefined:
      break;
    default:
      return reject(span, `${name} is a value, not a function.`, 'Call a function or a type.');
  }
  if (!typeName.test(name)) return lowerBuiltin(lowering, builtinCall(lowering, elem, name));
  const args = argumentsOf(lowering, elem);
  if (templates.length === 0 && inferredName.test(name)) return constructInferred(name, args, span);
  const { start, end } = elem.function;
  const type = lowering.type({ kind: 'type', name: ident, templateParams: [...templates], start, end });
  return construct(type, args, span);
}

function callFunction(
  lowering: Lowering,
  elem: FunctionCallExpression,
  { elem: target }: { readonly elem: Parameters<Lowering['callee']>[0] },
  span: Span,
): Operand {
  const callee = lowering.callee(target, elem);
  const { parameters, name, result } = callee;
  const args = argumentsOf(lowering, elem);
  if (args.length !== parameters.length) {
    const wanted = `${parameters.length} argument${parameters.length === 1 ? '' : 's'}`;
    return reject(span, `${name} takes ${wanted}, and this call has ${args.length}.`, 'Give one for each parameter.');
  }
  const values = args.map((arg, index) => expressionOf(arg, parameters[index]!.type));
  return computed({ kind: 'call', function: callee, args: values, type: result, span });
}
