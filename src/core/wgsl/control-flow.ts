import type { Statement } from './program.js';

/** Whether execution surely never gets past these statements. */
export function neverEnds(statements: readonly Statement[]): boolean {
  return statements.some((statement) => {
    switch (statement.kind) {
      case 'return':
      case 'break':
      case 'continue':
        return true;
      case 'block':
        return neverEnds(statement.body);
      case 'if':
        return neverEnds(statement.then) && neverEnds(statement.otherwise);
      case 'switch':
        return statement.clauses.every(({ body }) => neverEnds(body) && !breaks(body));
      case 'loop':
        return statement.condition === null && statement.breakIf === null && !breaks(statement.body);
      default:
        return false;
    }
  });
}

/** Whether a `break` among these statements ends the loop or switch around them. */
function breaks(statements: readonly Statement[]): boolean {
  return statements.some((statement) => {
    switch (statement.kind) {
      case 'break':
        return true;
      case 'block':
        return breaks(statement.body);
      case 'if':
        return breaks(statement.then) || breaks(statement.otherwise);
      default:
        return false;
    }
  });
}
