import type {
  AssignElem,
  BreakElem,
  CallElem,
  FnElem,
  ForElem,
  IfElem,
  LoopElem,
  Statement as StatementElem,
  SwitchElem,
} from 'wesl/core';
import type { Span } from '../diagnostic.js';
import { type AnyType, isConstructible, sameType, typeText } from './abstract-types.js';
import { neverEnds } from './control-flow.js';
import { builtinCall, builtinName } from './lower-calls.js';
import { type Lowering, reject, Rejection, unsupported } from './lower-context.js';
import { type Constant, expressionOf, loaded, memoryOf, type Operand, spanOf, typeOf } from './lower-operands.js';
import { binaryTypes, booleanOperand } from './lower-operators.js';
import { asDeclared, checkAssertion, lowerConst, lowerLet, lowerVariable } from './lower-declarations.js';
import { lowerSubgroupMatrixStore } from './lower-subgroup-matrix.js';
import type { BinaryOperator, Expression, Place, Statement, ValueType } from './program.js';

/** What the statements of a function have to know of it. */
export interface FunctionScope {
  readonly lowering: Lowering;
  readonly result: ValueType;
  /** What a `break` here would end, and whether there is a loop to `continue`. */
  readonly breaks: 'loop' | 'switch' | null;
  readonly continues: boolean;
  readonly inContinuing: boolean;
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
      const body = lowerBlock(loopScope(scope), elem.body.body);
      return { kind: 'loop', init: [], condition, body, continuing: [], breakIf: null, span };
    }
    case 'loop':
      return lowerLoop(scope, elem, span);
    case 'switch':
      return lowerSwitch(scope, elem, span);
    case 'return':
      if (scope.inContinuing) return reject(span, 'continuing cannot return.', 'Return in the body of the loop.');
      return { kind: 'return', value: lowerResult(scope, elem.value, span), span };
    case 'break':
      return lowerBreak(scope, elem, span);
    case 'continue':
      if (scope.continues) return { kind: 'continue', span };
      return reject(span, 'There is no loop here to continue.', 'Put it into the body of a loop.');
    case 'continuing':
      return reject(span, 'continuing stands outside of a loop.', 'Put it at the end of the body of a loop.');
    case 'discard':
      return reject(span, 'discard exists in fragment shaders only.', 'Use return.');
  }
}

function lowerBreak(scope: FunctionScope, elem: BreakElem, span: Span): Statement {
  if (elem.condition !== undefined) {
    return reject(span, 'break if stands last in continuing and nowhere else.', 'Write if (…) { break; }.');
  }
  if (scope.breaks !== null) return { kind: 'break', span };
  return reject(span, 'There is no loop or switch here to end.', 'Put it into the body of a loop.');
}

const conditionOf = (lowering: Lowering, elem: Parameters<Lowering['operand']>[0]): Expression =>
  expressionOf(booleanOperand(lowering.operand(elem)));

/** A place that may be written to. */
function writablePlace(operand: Operand): Place {
  if (operand.kind !== 'place') {
    return reject(spanOf(operand), 'This is a value, and only memory can be assigned to.', 'Assign to a var.');
  }
  const { place } = operand;
  if (memoryOf(place).access === 'read') {
    const isUniform = memoryOf(place).space === 'uniform';
    const remedy = isUniform ? 'Write to a storage buffer.' : 'Declare it var<storage, read_write>.';
    return reject(place.span, 'This memory can only be read.', remedy);
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

const loopScope = (scope: FunctionScope): FunctionScope => ({ ...scope, breaks: 'loop', continues: true });

function lowerFor(scope: FunctionScope, elem: ForElem, span: Span): Statement {
  const init = elem.init === undefined ? [] : lowerBlock(scope, [elem.init]);
  const condition = elem.condition === undefined ? null : conditionOf(scope.lowering, elem.condition);
  const body = lowerBlock(loopScope(scope), elem.body.body);
  const continuing = elem.update === undefined ? [] : lowerBlock(scope, [elem.update]);
  return { kind: 'loop', init, condition, body, continuing, breakIf: null, span };
}

function lowerLoop(scope: FunctionScope, elem: LoopElem, span: Span): Statement {
  const body = lowerBlock(
    loopScope(scope),
    elem.body.body.filter((statement) => statement.kind !== 'continuing'),
  );
  const { continuing } = elem;
  const last = continuing === undefined ? [] : continuing.body.body.filter((statement) => !isBreakIf(statement));
  const inContinuing = { ...scope, breaks: null, continues: false, inContinuing: true };
  const after = lowerBlock(inContinuing, last);
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
    return { values, isDefault, body: lowerBlock({ ...scope, breaks: 'switch' }, clause.body.body) };
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

/** The statements of a function, which must end in a return where it has a result. */
export function lowerBody(lowering: Lowering, result: ValueType, elem: FnElem): Statement[] {
  const scope = { lowering, result, breaks: null, continues: false, inContinuing: false };
  const body = lowerBlock(scope, elem.body.body);
  if (result.kind !== 'void' && !neverEnds(body) && !lowering.hasErrors()) {
    const name = elem.name.ident.originalName;
    return reject(
      lowering.span(elem.name),
      `${name} can end without a value.`,
      `Return a ${typeText(result)} at its end.`,
    );
  }
  return body;
}
