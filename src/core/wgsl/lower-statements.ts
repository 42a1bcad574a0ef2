import type {
  AssignElem,
  CallElem,
  ForElem,
  IfElem,
  LoopElem,
  Statement as StatementElem,
  SwitchElem,
  VarElem,
} from 'wesl/core';
import type { Span } from '../diagnostic.js';
import { type AnyType, concreteType, converts, isConstructible, sameType, typeText } from './abstract-types.js';
import { builtinCall, builtinName } from './lower-calls.js';
import { type Lowering, reject, Rejection, unsupported } from './lower-context.js';
import {
  type Constant,
  convertedTo,
  expressionOf,
  loaded,
  memoryOf,
  type Operand,
  spanOf,
  typeOf,
} from './lower-operands.js';
import { binaryTypes, booleanOperand } from './lower-operators.js';
import { lowerSubgroupMatrixStore } from './lower-subgroup-matrix.js';
import { storedType } from './lower-types.js';
import type {
  BinaryOperator,
  Expression,
  Place,
  Statement,
  SubgroupMatrixType,
  ValueType,
  Variable,
} from './program.js';
import type { WgslType } from './types.js';

/** What the statements of a function have to know of it. */
export interface FunctionScope {
  readonly lowering: Lowering;
  readonly result: ValueType;
}

const barriers: Readonly<Record<string, 'workgroup' | 'storage' | 'subgroup'>> = {
  workgroupBarrier: 'workgroup',
  storageBarrier: 'storage',
  subgroupBarrier: 'subgroup',
};

/** The statements of a block. One that cannot be lowered is reported and left out; the others are looked at all the same. */
export function lowerBlock(scope: FunctionScope, body: readonly StatementElem[]): Statement[] {
  const statements: Statement[] = [];
  for (const elem of body) {
    try {
      const statement = lowerStatement(scope, elem);
      if (statement !== null) statements.push(statement);
    } catch (error) {
      if (!(error instanceof Rejection)) throw error;
      if (error.diagnostic !== null) scope.lowering.report(error.diagnostic);
      if (elem.kind === 'var' || elem.kind === 'let' || elem.kind === 'const') {
        scope.lowering.bind(elem.name.decl.ident, { kind: 'broken' });
      }
    }
  }
  return statements;
}

function lowerStatement(scope: FunctionScope, elem: StatementElem): Statement | null {
  const { lowering } = scope;
  const span = lowering.span(elem);
  switch (elem.kind) {
    case 'block':
      return { kind: 'block', body: lowerBlock(scope, elem.body), span };
    case 'var':
      return lowerVariable(lowering, elem, span);
    case 'let':
      return lowerLet(lowering, elem, span);
    case 'const':
      lowerConst(lowering, elem);
      return null;
    case 'assert':
      checkAssertion(lowering, elem);
      return null;
    case 'empty':
      return null;
    case 'assign':
      return lowerAssignment(lowering, elem, span);
    case 'increment':
    case 'decrement':
      return lowerStep(lowering, elem.target, elem.kind === 'increment' ? '+' : '-', span);
    case 'call':
      return lowerCallStatement(lowering, elem, span);
    case 'if':
      return lowerIf(scope, elem, span);
    case 'for':
      return lowerFor(scope, elem, span);
    case 'while': {
      const condition = conditionOf(lowering, elem.condition);
      const body = lowerBlock(scope, elem.body.body);
      return { kind: 'loop', init: [], condition, body, continuing: [], breakIf: null, span };
    }
    case 'loop':
      return lowerLoop(scope, elem, span);
    case 'switch':
      return lowerSwitch(scope, elem, span);
    case 'return':
      return { kind: 'return', value: lowerResult(scope, elem.value, span), span };
    case 'break':
    case 'continue':
      return { kind: elem.kind, span };
    case 'continuing':
      return reject(span, 'continuing stands outside of a loop.', 'Put it at the end of the body of a loop.');
    case 'discard':
      return reject(span, 'discard exists in fragment shaders only.', 'Use return.');
  }
}

const conditionOf = (lowering: Lowering, elem: Parameters<Lowering['operand']>[0]): Expression =>
  expressionOf(booleanOperand(lowering.operand(elem)));

/** The type that a declaration gives or, where it gives none, that its initializer has. */
function declaredType(
  lowering: Lowering,
  elem: VarElem | Extract<StatementElem, { kind: 'let' }>,
  initial: Operand | null,
  span: Span,
): AnyType {
  const { typeRef } = elem.name;
  if (typeRef !== undefined) return lowering.type(typeRef);
  if (initial !== null) return concreteType(typeOf(initial));
  return reject(span, `${elem.name.decl.ident.originalName} has neither a type nor a value.`, 'Give it a type.');
}

function lowerVariable(lowering: Lowering, elem: VarElem, span: Span): Statement {
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

function variableType(type: AnyType, span: Span): WgslType | SubgroupMatrixType {
  if (type.kind === 'subgroup-matrix') return type;
  if (isConstructible(type)) return storedType(type, span);
  return reject(span, `A var of a function cannot be of type ${typeText(type)}.`, 'Use a type of a fixed size.');
}

function lowerLet(lowering: Lowering, elem: Extract<StatementElem, { kind: 'let' }>, span: Span): Statement {
  const { decl } = elem.name;
  if (elem.init === undefined) {
    return reject(span, `${decl.ident.originalName} has no value.`, 'Write = and a value after it.');
  }
  const initial = loaded(lowering.operand(elem.init));
  const initializer = expressionOf(initial, declaredType(lowering, elem, initial, span));
  if (initializer.type.kind === 'void') return reject(span, 'This call gives no value.', 'Call it without let.');
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
export function lowerConst(lowering: Lowering, elem: Extract<StatementElem, { kind: 'const' }>): void {
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
export function checkAssertion(lowering: Lowering, elem: Extract<StatementElem, { kind: 'assert' }>): void {
  const condition = booleanOperand(lowering.operand(elem.expression));
  const span = lowering.span(elem);
  if (condition.kind !== 'constant') {
    reject(span, 'What const_assert asserts must be constant.', 'Use const and override values.');
  } else if (condition.value !== true) reject(span, 'This assertion does not hold.', 'Change what it is about.');
}

/** A place that may be written to. */
function writablePlace(operand: Operand): Place {
  if (operand.kind !== 'place') {
    return reject(spanOf(operand), 'This is a value, and only memory can be assigned to.', 'Assign to a var.');
  }
  const { place } = operand;
  if (memoryOf(place).access === 'read') {
    return reject(place.span, 'This memory can only be read.', 'Declare it var<storage, read_write>.');
  }
  if (!isConstructible(place.type)) {
    const what = typeText(place.type);
    return reject(
      place.span,
      `A value of type ${what} cannot be assigned.`,
      'Assign to its elements, or use atomicStore.',
    );
  }
  return place;
}

function lowerAssignment(lowering: Lowering, { lhs, op, rhs }: AssignElem, span: Span): Statement {
  if (lhs.kind === 'phony') {
    const expression = expressionOf(lowering.operand(rhs));
    if (expression.type.kind === 'void') return reject(span, 'This call gives no value.', 'Leave out the _ =.');
    return { kind: 'evaluate', expression, span };
  }
  const place = writablePlace(lowering.operand(lhs));
  const value = lowering.operand(rhs);
  if (op.value === '=') return { kind: 'assign', place, value: expressionOf(value, place.type), span };
  return update(place, op.value.slice(0, -1) as BinaryOperator, value, span);
}

function update(place: Place, operator: BinaryOperator, operand: Operand, span: Span): Statement {
  const value = loaded(operand);
  const types = binaryTypes(operator, place.type, typeOf(value));
  if (types === null || !sameType(types.result, place.type)) {
    const message = `${operator}= does not take ${typeText(place.type)} and ${typeText(typeOf(value))}.`;
    return reject(span, message, 'Convert the value to the type of what it changes.');
  }
  return { kind: 'update', place, operator, value: expressionOf(value, types.right), span };
}

function lowerStep(
  lowering: Lowering,
  target: Parameters<Lowering['operand']>[0],
  operator: '+' | '-',
  span: Span,
): Statement {
  const place = writablePlace(lowering.operand(target));
  const { type } = place;
  if (type.kind !== 'scalar' || (type.scalar !== 'i32' && type.scalar !== 'u32')) {
    const remedy = `Write ${operator}= 1.`;
    return reject(span, `${operator}${operator} takes i32 and u32, and this is ${typeText(type)}.`, remedy);
  }
  return { kind: 'update', place, operator, value: { kind: 'constant', value: 1, type, span }, span };
}

function lowerCallStatement(lowering: Lowering, { call }: CallElem, span: Span): Statement {
  const name = builtinName(lowering, call);
  if (name !== null && Object.hasOwn(barriers, name)) return { kind: 'barrier', scope: barriers[name]!, span };
  if (name === 'textureBarrier') {
    return unsupported(span, 'The simulator has no textures, and so no textureBarrier.', 'Use storageBarrier.');
  }
  if (name === 'subgroupMatrixStore') return lowerSubgroupMatrixStore({ ...builtinCall(lowering, call, name), span });
  return { kind: 'evaluate', expression: expressionOf(lowering.operand(call)), span };
}

function lowerIf(scope: FunctionScope, elem: IfElem, span: Span): Statement {
  const condition = conditionOf(scope.lowering, elem.condition);
  const then = lowerBlock(scope, elem.body.body);
  const { else: other } = elem;
  const otherwise = other === undefined ? [] : lowerBlock(scope, other.kind === 'if' ? [other] : other.body);
  return { kind: 'if', condition, then, otherwise, span };
}

function lowerFor(scope: FunctionScope, elem: ForElem, span: Span): Statement {
  const init = elem.init === undefined ? [] : lowerBlock(scope, [elem.init]);
  const condition = elem.condition === undefined ? null : conditionOf(scope.lowering, elem.condition);
  const body = lowerBlock(scope, elem.body.body);
  const continuing = elem.update === undefined ? [] : lowerBlock(scope, [elem.update]);
  return { kind: 'loop', init, condition, body, continuing, breakIf: null, span };
}

function lowerLoop(scope: FunctionScope, elem: LoopElem, span: Span): Statement {
  const body = lowerBlock(
    scope,
    elem.body.body.filter((statement) => statement.kind !== 'continuing'),
  );
  const { continuing } = elem;
  const last = continuing === undefined ? [] : continuing.body.body.filter((statement) => !isBreakIf(statement));
  const after = lowerBlock(scope, last);
  const breakIf = continuing?.breakIf === undefined ? null : conditionOf(scope.lowering, continuing.breakIf);
  return { kind: 'loop', init: [], condition: null, body, continuing: after, breakIf, span };
}

const isBreakIf = (statement: StatementElem): boolean =>
  statement.kind === 'break' && statement.condition !== undefined;

function lowerSwitch(scope: FunctionScope, elem: SwitchElem, span: Span): Statement {
  const { lowering } = scope;
  const selector = loaded(lowering.operand(elem.selector));
  const cases = elem.clauses.map((clause) =>
    clause.selectors.map((value) => (value === 'default' ? null : caseValue(lowering, value))),
  );
  const concrete = [selector, ...cases.flat().filter((value) => value !== null)].map(typeOf);
  const unsigned = concrete.some((type) => type.kind === 'scalar' && type.scalar === 'u32');
  const type = { kind: 'scalar', scalar: unsigned ? 'u32' : 'i32' } as const;
  const clauses = elem.clauses.map((clause, index) => {
    const values = cases[index]!.flatMap((value) => (value === null ? [] : [integerOf(value, type)]));
    const isDefault = clause.selectors.includes('default');
    return { values, isDefault, body: lowerBlock(scope, clause.body.body) };
  });
  if (clauses.filter((clause) => clause.isDefault).length !== 1) {
    return reject(span, 'A switch needs exactly one default.', 'Add default: {}.');
  }
  return { kind: 'switch', selector: expressionOf(selector, type), clauses, span };
}

function caseValue(lowering: Lowering, elem: Parameters<Lowering['operand']>[0]): Constant {
  const value = lowering.operand(elem);
  if (value.kind === 'constant') return value;
  return reject(spanOf(value), 'The value of a case must be constant.', 'Use a number or a const.');
}

function integerOf(value: Constant, type: AnyType): number {
  const { value: number } = asDeclared(value, type);
  return Number(number);
}

function lowerResult(
  scope: FunctionScope,
  value: Parameters<Lowering['operand']>[0] | undefined,
  span: Span,
): Expression | null {
  const { result, lowering } = scope;
  if (value === undefined) {
    if (result.kind === 'void') return null;
    return reject(span, `This function returns ${typeText(result)}.`, 'Return a value.');
  }
  if (result.kind === 'void') return reject(span, 'This function returns no value.', 'Leave the value out.');
  return expressionOf(lowering.operand(value), result);
}
