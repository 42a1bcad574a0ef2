import type { Expression, Place, Statement } from '../wgsl/program.js';

/** The lists of statements directly inside a statement, in the order of the source; empty for a simple statement. */
export function innerBlocks(statement: Statement): readonly (readonly Statement[])[] {
  switch (statement.kind) {
    case 'block':
      return [statement.body];
    case 'if':
      return [statement.then, statement.otherwise];
    case 'loop':
      return [statement.init, statement.body, statement.continuing];
    case 'switch':
      return statement.clauses.map(({ body }) => body);
    default:
      return [];
  }
}

/** The expressions that a statement itself evaluates: not those of the statements inside it. */
export function ownExpressions(statement: Statement): readonly Expression[] {
  switch (statement.kind) {
    case 'declare':
      return statement.initializer ? [statement.initializer] : [];
    case 'let':
      return [statement.initializer];
    case 'assign':
    case 'update':
      return [...placeExpressions(statement.place), statement.value];
    case 'evaluate':
      return [statement.expression];
    case 'if':
      return [statement.condition];
    case 'loop':
      return [statement.condition, statement.breakIf].filter((expression) => expression !== null);
    case 'switch':
      return [statement.selector];
    case 'return':
      return statement.value ? [statement.value] : [];
    case 'subgroup-matrix-store':
      return statement.args;
    case 'block':
    case 'break':
    case 'continue':
    case 'barrier':
      return [];
  }
}

/** The expressions a place is found by: its indices and the pointers it goes through. */
export function placeExpressions(place: Place): readonly Expression[] {
  switch (place.kind) {
    case 'variable':
      return [];
    case 'dereference':
      return [place.pointer];
    case 'element':
      return [...placeExpressions(place.base), place.index];
    case 'member':
      return placeExpressions(place.base);
  }
}
