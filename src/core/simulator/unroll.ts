import type { Expression, FunctionDefinition, Statement } from '../wgsl/program.js';
import { rootOf, walkStatements } from './walk.js';

type Loop = Extract<Statement, { kind: 'loop' }>;

/** Most rounds of a loop that is written out, and most nodes that its rounds may have together. */
const mostRounds = 8;
const mostNodes = 400;

/** The counter of a loop that is written out, and its value in each round. */
export interface Unrolled {
  readonly variableId: number;
  readonly values: readonly number[];
}

const known = new WeakMap<Loop, Unrolled | null>();

/**
 * How a loop is written out: its counter runs from a constant to a constant by a constant, few times, over a small body
 * that leaves it alone and does not leave the loop. Null for other loops.
 */
export function unrolledLoop(loop: Loop): Unrolled | null {
  const found = known.get(loop);
  if (found !== undefined) return found;
  const unrolled = plan(loop);
  known.set(loop, unrolled);
  return unrolled;
}

function constantInteger(expression: Expression | null): number | null {
  if (expression?.kind !== 'constant' || typeof expression.value !== 'number') return null;
  const { type } = expression;
  return type.kind === 'scalar' && (type.scalar === 'i32' || type.scalar === 'u32') ? expression.value : null;
}

function plan({ init, condition, body, continuing, breakIf }: Loop): Unrolled | null {
  const [first] = init;
  const [step] = continuing;
  if (first?.kind !== 'declare' || init.length !== 1 || continuing.length !== 1 || breakIf) return null;
  const { variable, initializer } = first;
  if (step?.kind !== 'update' || step.operator !== '+' || step.place.kind !== 'variable') return null;
  if (step.place.variable !== variable || condition?.kind !== 'binary') return null;
  if (condition.operator !== '<' && condition.operator !== '<=') return null;
  const { left } = condition;
  if (left.kind !== 'load' || left.place.kind !== 'variable' || left.place.variable !== variable) return null;
  const start = initializer === null ? 0 : constantInteger(initializer);
  const end = constantInteger(condition.right);
  const stride = constantInteger(step.value);
  if (start === null || end === null || stride === null || stride < 1) return null;
  const limit = condition.operator === '<' ? end : end + 1;
  const rounds = Math.max(0, Math.ceil((limit - start) / stride));
  if (rounds > mostRounds || leaves(body) || nodesOf(body, variable) * rounds > mostNodes) return null;
  return { variableId: variable.id, values: Array.from({ length: rounds }, (_, round) => start + round * stride) };
}

/** Nodes of a loop's body; without end where it changes the counter or takes its address. */
function nodesOf(body: readonly Statement[], counter: { readonly id: number }): number {
  let nodes = 0;
  walkStatements(body, {
    statement: (statement) => {
      nodes++;
      if (statement.kind !== 'assign' && statement.kind !== 'update') return;
      if (rootOf(statement.place) === counter) nodes = Infinity;
    },
    expression: (expression) => {
      nodes++;
      if (expression.kind === 'address' && rootOf(expression.place) === counter) nodes = Infinity;
    },
  });
  return nodes;
}

/** Whether a `break` or `continue` of this loop stands in these statements. */
function leaves(statements: readonly Statement[]): boolean {
  return statements.some((statement) => {
    switch (statement.kind) {
      case 'break':
      case 'continue':
        return true;
      case 'block':
        return leaves(statement.body);
      case 'if':
        return leaves(statement.then) || leaves(statement.otherwise);
      case 'switch':
        // A `break` belongs to the switch; a `continue` in it is rare enough to keep the loop for either.
        return statement.clauses.some(({ body }) => leaves(body));
      default:
        return false;
    }
  });
}

/** Ids of the counters of all loops of these functions that are written out. */
export function unrolledCounters(functions: readonly FunctionDefinition[]): ReadonlySet<number> {
  const counters = new Set<number>();
  for (const { body } of functions) {
    walkStatements(body, {
      statement: (statement) => {
        const unrolled = statement.kind === 'loop' ? unrolledLoop(statement) : null;
        if (unrolled) counters.add(unrolled.variableId);
      },
    });
  }
  return counters;
}

/** Whether an index is a number wherever it is written: made of constants and the counters of written-out loops. */
export function isKnownIndex(index: Expression, counters: ReadonlySet<number>): boolean {
  switch (index.kind) {
    case 'constant':
      return true;
    case 'load':
      return index.place.kind === 'variable' && counters.has(index.place.variable.id);
    case 'binary':
      return (
        (index.operator === '+' || index.operator === '-' || index.operator === '*') &&
        isKnownIndex(index.left, counters) &&
        isKnownIndex(index.right, counters)
      );
    default:
      return false;
  }
}
