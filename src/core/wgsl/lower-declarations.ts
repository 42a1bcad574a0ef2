import type { ConstAssertElem, ConstElem, LetElem, VarElem } from 'wesl/core';
import type { Span } from '../diagnostic.js';
import { type AnyType, concreteType, converts, isConstructible, typeText } from './abstract-types.js';
import { type Lowering, reject } from './lower-context.js';
import { type Constant, convertedTo, expressionOf, loaded, type Operand, spanOf, typeOf } from './lower-operands.js';
import { booleanOperand } from './lower-operators.js';
import { storedType } from './lower-types.js';
import type { Statement, Variable } from './program.js';
import type { WgslType } from './types.js';

/** The type that a declaration gives or, where it gives none, that its initializer has. */
function declaredType(lowering: Lowering, elem: VarElem | LetElem, initial: Operand | null, span: Span): AnyType {
  const { typeRef } = elem.name;
  if (typeRef !== undefined) return lowering.type(typeRef);
  if (initial !== null) return concreteType(typeOf(initial));
  return reject(span, `${elem.name.decl.ident.originalName} has neither a type nor a value.`, 'Give it a type.');
}

/** A `var` of a function, bound to its name. */
export function lowerVariable(lowering: Lowering, elem: VarElem, span: Span): Statement {
  const { decl } = elem.name;
  const space = elem.template?.[0]?.name ?? 'function';
  if (space !== 'function') {
    const remedy = 'Declare it outside of the function.';
    return reject(span, `A var of address space ${space} cannot stand in a function.`, remedy);
  }
  const initial = elem.init === undefined ? null : loaded(lowering.operand(elem.init));
  const type = declaredType(lowering, elem, initial, span);
  const variable: Variable = {
    id: lowering.newId(),
    name: decl.ident.originalName,
    space: 'function',
    access: 'read_write',
    type: variableType(type, lowering.span(decl)),
    binding: null,
    initializer: null,
    span,
    nameSpan: lowering.span(decl),
  };
  const initializer = initial === null ? null : expressionOf(initial, type);
  lowering.bind(decl.ident, { kind: 'variable', variable });
  return { kind: 'declare', variable, initializer, span };
}

function variableType(type: AnyType, span: Span): WgslType {
  if (isConstructible(type)) return storedType(type, span);
  return reject(span, `A var of a function cannot be of type ${typeText(type)}.`, 'Use a type of a fixed size.');
}

/** A `let`, bound to its name. */
export function lowerLet(lowering: Lowering, elem: LetElem, span: Span): Statement {
  const { decl } = elem.name;
  if (elem.init === undefined) {
    return reject(span, `${decl.ident.originalName} has no value.`, 'Write = and a value after it.');
  }
  const initial = loaded(lowering.operand(elem.init));
  const initializer = expressionOf(initial, declaredType(lowering, elem, initial, span));
  if (initializer.type.kind === 'void')
    return reject(initializer.span, 'This call gives no value.', 'Call it without let.');
  const value = {
    id: lowering.newId(),
    name: decl.ident.originalName,
    type: initializer.type,
    nameSpan: lowering.span(decl),
  };
  lowering.bind(decl.ident, { kind: 'value', value });
  return { kind: 'let', value, initializer, span };
}

/** Binds a `const` of a module or a function to its value. */
export function lowerConst(lowering: Lowering, elem: ConstElem): void {
  const { decl, typeRef } = elem.name;
  const span = lowering.span(decl);
  const name = decl.ident.originalName;
  if (elem.init === undefined) return reject(span, `${name} has no value.`, 'Write = and a value after it.');
  const value = loaded(lowering.operand(elem.init));
  if (value.kind !== 'constant') {
    return reject(spanOf(value), `The value of ${name} is known only when the kernel runs.`, 'Use let.');
  }
  const constant = typeRef === undefined ? value : asDeclared(value, lowering.type(typeRef));
  lowering.bind(decl.ident, { kind: 'constant', constant: { type: constant.type, value: constant.value } });
}

/** A constant taken as the type its declaration gives it. */
export function asDeclared(value: Constant, type: AnyType): Constant {
  if (converts(value.type, type)) return convertedTo(value, type);
  const [found, asked] = [typeText(value.type), typeText(type)];
  return reject(value.span, `This is of type ${found}, and ${asked} is declared.`, `Convert it: ${asked}(…).`);
}

/** Stops at a `const_assert` that does not hold. */
export function checkAssertion(lowering: Lowering, elem: ConstAssertElem): void {
  const condition = booleanOperand(lowering.operand(elem.expression));
  const span = lowering.span(elem);
  if (condition.kind !== 'constant') {
    reject(span, 'What const_assert asserts must be constant.', 'Use const and override values.');
  } else if (condition.value !== true) reject(span, 'This assertion does not hold.', 'Change what it is about.');
}
