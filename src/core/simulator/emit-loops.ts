import type { Expression, Statement } from '../wgsl/program.js';
import { isSmall, literal, type Range } from './component.js';
import { writeApart } from './emit-apart.js';
import { ringRange } from './emit-arithmetic.js';
import type { FunctionContext } from './emit-context.js';
import { scalarExpression } from './emit-expressions.js';
import { writeBlock, writeStatements } from './emit-statements.js';
import { unrolledLoop, type Unrolled } from './unroll.js';
import { rootOf, walkStatements } from './walk.js';

type Loop = Extract<Statement, { kind: 'loop' }>;

/** Rounds of a loop whose end is known to come that need no watch for endless loops. */
const boundedRounds = 4096;

/** Writes a loop: phases of the entry point, the way out for endless ones, and WGSL's order of its parts. */
export function writeLoop(statement: Loop, context: FunctionContext): void {
  const { writer, pass } = context;
  if (writeApart(statement, context, (inner) => writeLoop(statement, inner))) return;
  const unrolled = unrolledLoop(statement);
  if (unrolled && !pass.variant.values && !pass.isSynchronizing(context.definition.id)) {
    writeUnrolled(statement, unrolled, context);
    return;
  }
  writer.scope('block', () => writeRolled(statement, context));
}

function writeRolled(statement: Loop, context: FunctionContext): void {
  const { writer, pass } = context;
  writeStatements(statement.init, context);
  const counter = counterOf(statement, context);
  const bounded = counter !== null && counter.rounds <= boundedRounds;
  const known = counter && context.counterRanges.get(counter.id);
  const phases = makesPhases(statement, context);
  const label = writer.fresh('L');
  writer.block(`${label}: for (;;) {`, () => {
    if (!bounded) {
      const place = { kind: 'endless-loop', span: statement.span, variable: null, limit: null, signed: false } as const;
      writer.line(`if (--S[1] < 0) endless(${pass.addFault(place)});`);
    }
    if (phases) writer.line('nextPhase();');
    // Where the condition stands, the counter may have gone past the limit already; where the body stands, not.
    if (counter) context.counterRanges.set(counter.id, counter.tested);
    const { condition } = statement;
    if (condition) writer.scope('statement', () => leaveUnless(condition, label, context));
    if (counter) context.counterRanges.set(counter.id, counter.range);
    writer.scope('block', () => writeRound(statement, label, context));
  });
  if (counter) {
    if (known) context.counterRanges.set(counter.id, known);
    else context.counterRanges.delete(counter.id);
  }
}

/** Writes the rounds of a short loop one after another, so that its counter is a number in each. */
function writeUnrolled(statement: Loop, { variableId, values }: Unrolled, context: FunctionContext): void {
  const { writer, counterRanges } = context;
  const phases = makesPhases(statement, context);
  const inner: FunctionContext = { ...context, loopDepth: context.loopDepth + 1 };
  const nextPhase = (): void => {
    if (!phases) return;
    writer.endRegion();
    writer.line('nextPhase();');
  };
  for (const value of values) {
    nextPhase();
    counterRanges.set(variableId, { low: value, high: value });
    writeBlock(statement.body, inner);
    if (statement.body.at(-1)?.kind === 'return') break;
  }
  counterRanges.delete(variableId);
  // The round that finds the end has a phase too, as in a loop that is not written out.
  nextPhase();
}

function makesPhases(statement: Loop, { pass, loopDepth }: FunctionContext): boolean {
  return (pass.variant.logs || pass.variant.tags) && loopDepth < 2 && touchesMemory(statement);
}

function leaveUnless(condition: Expression, label: string, context: FunctionContext): void {
  const { code } = scalarExpression(condition, context);
  context.writer.endRegion();
  context.writer.line(`if (!${code}) break ${label};`);
}

function writeRound(statement: Loop, label: string, context: FunctionContext): void {
  const { writer } = context;
  const { body, continuing, breakIf } = statement;
  const exits = { ...context.exits, breaks: `break ${label};`, continues: `continue ${label};` };
  const inner: FunctionContext = { ...context, exits, loopDepth: context.loopDepth + 1 };
  const rest = (): void => {
    writeStatements(continuing, { ...inner, exits: { ...exits, continues: '' } });
    if (!breakIf) return;
    const { code } = scalarExpression(breakIf, inner);
    writer.endRegion();
    writer.line(`if (${code}) break ${label};`);
  };
  const hasContinue = continues(body);
  if (!hasContinue || (continuing.length === 0 && !breakIf)) {
    writeStatements(body, inner);
    const last = body.at(-1)?.kind;
    if (last !== 'break' && last !== 'continue' && last !== 'return') rest();
    return;
  }
  // `continue` goes on behind this block; what the body declares is visible there.
  const round = writer.fresh('K');
  writer.block(`${round}: {`, () => {
    writeStatements(body, { ...inner, exits: { ...exits, continues: `break ${round};` } });
  });
  rest();
}

/** Whether a `continue` of this loop, not of one inside it, stands in these statements. */
function continues(statements: readonly Statement[]): boolean {
  return statements.some((statement) => {
    switch (statement.kind) {
      case 'continue':
        return true;
      case 'block':
        return continues(statement.body);
      case 'if':
        return continues(statement.then) || continues(statement.otherwise);
      case 'switch':
        return statement.clauses.some(({ body }) => continues(body));
      default:
        return false;
    }
  });
}

/** Whether a loop may access memory that is logged: by a variable, through a pointer, or in a function it calls. */
function touchesMemory(loop: Loop): boolean {
  let found = false;
  const visitor = {
    expression: ({ kind }: Expression) => {
      if (kind === 'call' || kind === 'atomic' || kind === 'uniform-load') found = true;
    },
    place: (place: Parameters<typeof rootOf>[0]) => {
      const root = rootOf(place);
      if (root === null || (root.space !== 'function' && root.space !== 'private')) found = true;
    },
  };
  walkStatements([loop], visitor);
  return found;
}

interface Counter {
  readonly id: number;
  /** In the body, and in the condition. */
  readonly range: Range;
  readonly tested: Range;
  readonly rounds: number;
}

/** The counter of a loop that runs from a known start up to a known limit, in steps up; null for other loops. */
function counterOf(statement: Loop, context: FunctionContext): Counter | null {
  const [first] = statement.init;
  const [step] = statement.continuing;
  const { condition } = statement;
  if (first?.kind !== 'declare' || statement.init.length !== 1 || statement.continuing.length !== 1) return null;
  const { variable, initializer } = first;
  if (step?.kind !== 'update' || step.operator !== '+' || rootOf(step.place) !== variable) return null;
  if (condition?.kind !== 'binary' || (condition.operator !== '<' && condition.operator !== '<=')) return null;
  const { left } = condition;
  if (left.kind !== 'load' || left.place.kind !== 'variable' || left.place.variable !== variable) return null;
  if (context.pass.residenceOf(variable).kind !== 'register' || assigns(statement.body, variable)) return null;
  const start = initializer ? rangeOf(initializer, context) : { low: 0, high: 0 };
  const end = rangeOf(condition.right, context);
  const stride = rangeOf(step.value, context);
  if (!isSmall(start) || !isSmall(end) || !isSmall(stride) || stride.low < 1) return null;
  const high = condition.operator === '<' ? end.high - 1 : end.high;
  if (high + stride.high > 0x7fffffff) return null;
  const rounds = Math.max(0, Math.ceil((high - start.low + 1) / stride.low));
  const { low } = start;
  return {
    id: variable.id,
    range: { low, high },
    tested: { low, high: Math.max(start.high, high + stride.high) },
    rounds,
  };
}

function assigns(statements: readonly Statement[], variable: { readonly id: number }): boolean {
  let found = false;
  walkStatements(statements, {
    statement: (inner) => {
      if ((inner.kind === 'assign' || inner.kind === 'update') && rootOf(inner.place) === variable) found = true;
    },
  });
  return found;
}

/** Bounds of an integer expression as far as constants, lets and outer counters tell, without writing anything. */
function rangeOf(expression: Expression, context: FunctionContext): Range | null {
  switch (expression.kind) {
    case 'constant':
      return typeof expression.value === 'number' ? literal('u32', expression.value).range : null;
    case 'value':
      return context.values.get(expression.value.id)?.[0]?.range ?? null;
    case 'load':
      return expression.place.kind === 'variable'
        ? (context.counterRanges.get(expression.place.variable.id) ?? null)
        : null;
    case 'binary': {
      const { operator, left, right, type } = expression;
      if (operator !== '+' && operator !== '-' && operator !== '*') return null;
      const scalar = type.kind === 'scalar' ? type.scalar : 'f32';
      return ringRange(operator, scalar, rangeOf(left, context), rangeOf(right, context));
    }
    default:
      return null;
  }
}
