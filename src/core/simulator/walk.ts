import type { Expression, FunctionDefinition, Place, Statement, Variable } from '../wgsl/program.js';

/** What a walk is told of, each node before its parts. */
export interface Visitor {
  readonly statement?: (statement: Statement) => void;
  readonly expression?: (expression: Expression) => void;
  readonly place?: (place: Place) => void;
}

/** Visits every statement, expression and place of a function body. */
export function walkStatements(statements: readonly Statement[], visitor: Visitor): void {
  for (const statement of statements) walkStatement(statement, visitor);
}

function walkStatement(statement: Statement, visitor: Visitor): void {
  visitor.statement?.(statement);
  switch (statement.kind) {
    case 'block':
      walkStatements(statement.body, visitor);
      return;
    case 'declare':
    case 'let':
      if (statement.initializer) walkExpression(statement.initializer, visitor);
      return;
    case 'assign':
    case 'update':
      walkPlace(statement.place, visitor);
      walkExpression(statement.value, visitor);
      return;
    case 'evaluate':
      walkExpression(statement.expression, visitor);
      return;
    case 'if':
      walkExpression(statement.condition, visitor);
      walkStatements(statement.then, visitor);
      walkStatements(statement.otherwise, visitor);
      return;
    case 'loop':
      walkStatements(statement.init, visitor);
      if (statement.condition) walkExpression(statement.condition, visitor);
      walkStatements(statement.body, visitor);
      walkStatements(statement.continuing, visitor);
      if (statement.breakIf) walkExpression(statement.breakIf, visitor);
      return;
    case 'switch':
      walkExpression(statement.selector, visitor);
      for (const { body } of statement.clauses) walkStatements(body, visitor);
      return;
    case 'return':
      if (statement.value) walkExpression(statement.value, visitor);
      return;
    case 'subgroup-matrix-store':
      walkExpressions(statement.args, visitor);
      return;
    case 'break':
    case 'continue':
    case 'barrier':
  }
}

/** Visits an expression and all its parts. Every analysis comes by here: parts are walked where they are, not listed. */
export function walkExpression(expression: Expression, visitor: Visitor): void {
  visitor.expression?.(expression);
  switch (expression.kind) {
    case 'constant':
    case 'value':
      return;
    case 'load':
    case 'address':
      walkPlace(expression.place, visitor);
      return;
    case 'unary':
    case 'convert':
    case 'bitcast':
      walkExpression(expression.operand, visitor);
      return;
    case 'binary':
    case 'logical':
      walkExpression(expression.left, visitor);
      walkExpression(expression.right, visitor);
      return;
    case 'construct':
      walkExpressions(expression.parts, visitor);
      return;
    case 'element':
      walkExpression(expression.base, visitor);
      walkExpression(expression.index, visitor);
      return;
    case 'member':
    case 'swizzle':
      walkExpression(expression.base, visitor);
      return;
    case 'array-length':
    case 'uniform-load':
      walkExpression(expression.pointer, visitor);
      return;
    case 'atomic':
      walkExpression(expression.pointer, visitor);
      walkExpressions(expression.args, visitor);
      return;
    case 'call':
    case 'builtin':
    case 'subgroup':
    case 'subgroup-matrix':
      walkExpressions(expression.args, visitor);
  }
}

function walkExpressions(expressions: readonly Expression[], visitor: Visitor): void {
  for (const expression of expressions) walkExpression(expression, visitor);
}

function walkPlace(place: Place, visitor: Visitor): void {
  visitor.place?.(place);
  switch (place.kind) {
    case 'variable':
      return;
    case 'dereference':
      walkExpression(place.pointer, visitor);
      return;
    case 'element':
      walkPlace(place.base, visitor);
      walkExpression(place.index, visitor);
      return;
    case 'member':
      walkPlace(place.base, visitor);
  }
}

/** The variable a place lies in, or null where that is known only through a pointer. */
export function rootOf(place: Place): Variable | null {
  switch (place.kind) {
    case 'variable':
      return place.variable;
    case 'dereference':
      return place.pointer.kind === 'address' ? rootOf(place.pointer.place) : null;
    case 'element':
    case 'member':
      return rootOf(place.base);
  }
}

/** Whether an invocation may wait for others in these statements: there, or in a function they call that waits. */
export function waitsIn(statements: readonly Statement[], waits: (functionId: number) => boolean): boolean {
  let found = false;
  walkStatements(statements, {
    statement: ({ kind }) => {
      if (kind === 'barrier' || kind === 'subgroup-matrix-store') found = true;
    },
    expression: (expression) => {
      const { kind } = expression;
      if (kind === 'subgroup' || kind === 'uniform-load' || kind === 'subgroup-matrix') found = true;
      // A matrix that is filled is made by the whole subgroup.
      if (kind === 'construct' && expression.type.kind === 'subgroup-matrix') found = true;
      if (kind === 'call' && waits(expression.function.id)) found = true;
    },
  });
  return found;
}

/** Ids of the functions that wait for other invocations somewhere, themselves or in functions they call. */
export function synchronizingFunctions(functions: readonly FunctionDefinition[]): ReadonlySet<number> {
  const found = new Set<number>();
  for (const { id, body } of functions) if (waitsIn(body, (callee) => found.has(callee))) found.add(id);
  return found;
}
