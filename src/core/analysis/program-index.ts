import type { Span } from '../diagnostic.js';
import { walkExpression, walkStatements } from '../simulator/walk.js';
import type { Expression, Place, Program, Statement, Variable } from '../wgsl/program.js';
import { innerBlocks, ownExpressions } from './statement-parts.js';
import { uniformityOf, type Uniformity } from './uniformity.js';

/** One step of the way from a function's body down to a statement. */
export interface PathStep {
  readonly block: readonly Statement[];
  readonly index: number;
  /** The loop whose body or continuing part the block is, or null. */
  readonly loop: Statement | null;
}

/** The way from the entry point's body to a statement, through the calls of functions. The last step is the statement. */
export type StatementPath = readonly PathStep[];

/** An element access in the source: the indexed place or value, and its index. */
export interface ElementAccess {
  readonly span: Span;
  readonly base: Place | Expression;
  readonly index: Expression;
}

/** The declaration of a variable: the whole statement. */
export interface Declaration {
  readonly variable: Variable;
  readonly span: Span;
}

/** A program with ways to find what stands at a place of its source. */
export interface ProgramIndex {
  readonly program: Program;
  readonly uniformity: Uniformity;
  /** The innermost statement of a function that holds a span, or null. */
  readonly statementAt: (functionName: string, span: Span) => Statement | null;
  /** All ways to the statement that holds a span, one for each chain of calls; few of very many. */
  readonly pathsTo: (functionName: string, span: Span) => readonly StatementPath[];
  /** The smallest element access of the whole program that holds a span, the span being its index or all of it. */
  readonly elementAt: (span: Span) => ElementAccess | null;
  /** Where the variable of this id is declared, if it has no initializer; else null. */
  readonly declarationOf: (variableId: number) => Declaration | null;
}

const mostPaths = 32;

const holds = (outer: Span, inner: Span): boolean => outer.start <= inner.start && inner.end <= outer.end;
const length = ({ start, end }: Span): number => end - start;

/** Makes the index of a program. */
export function indexProgram(program: Program): ProgramIndex {
  const paths = new Map<string, readonly OwnPath[]>(
    program.functions.map(({ name, body }) => [name, ownPaths(body, [], null)]),
  );
  const callers = callersOf(paths);
  const entry = program.entry.function.name;
  let uniformity: Uniformity | null = null;
  const innermost = (functionName: string, span: Span): OwnPath | null => {
    let best: OwnPath | null = null;
    for (const path of paths.get(functionName) ?? []) {
      if (holds(path.statement.span, span) && (!best || length(path.statement.span) <= length(best.statement.span))) {
        best = path;
      }
    }
    return best;
  };
  return {
    program,
    get uniformity() {
      uniformity ??= uniformityOf(program);
      return uniformity;
    },
    statementAt: (functionName, span) => innermost(functionName, span)?.statement ?? null,
    pathsTo: (functionName, span) => {
      const own = innermost(functionName, span);
      if (!own) return [];
      return waysTo(functionName, entry, callers).map((way) => [...way, ...own.steps]);
    },
    elementAt: (span) => elementAt(program, span),
    declarationOf: (variableId) => declarationOf(program, variableId),
  };
}

/** A statement of one function with the way to it from the function's body. */
interface OwnPath {
  readonly statement: Statement;
  readonly steps: StatementPath;
}

function ownPaths(block: readonly Statement[], above: StatementPath, loop: Statement | null): readonly OwnPath[] {
  return block.flatMap((statement, index) => {
    const steps = [...above, { block, index, loop }];
    const inner = innerBlocks(statement).flatMap((body) => {
      const repeated = statement.kind === 'loop' && body !== statement.init;
      return ownPaths(body, steps, repeated ? statement : null);
    });
    return [{ statement, steps }, ...inner];
  });
}

/** For each function the calls of it: in which function, and the way to the statement that calls. */
function callersOf(
  paths: ReadonlyMap<string, readonly OwnPath[]>,
): ReadonlyMap<string, readonly { readonly caller: string; readonly steps: StatementPath }[]> {
  const callers = new Map<string, { caller: string; steps: StatementPath }[]>();
  for (const [caller, own] of paths) {
    for (const { statement, steps } of own) {
      for (const expression of ownExpressions(statement)) {
        walkExpression(expression, {
          expression: (inner) => {
            if (inner.kind !== 'call') return;
            const known = callers.get(inner.function.name) ?? [];
            known.push({ caller, steps });
            callers.set(inner.function.name, known);
          },
        });
      }
    }
  }
  return callers;
}

function waysTo(name: string, entry: string, callers: ReturnType<typeof callersOf>): readonly StatementPath[] {
  if (name === entry) return [[]];
  const ways: StatementPath[] = [];
  for (const { caller, steps } of callers.get(name) ?? []) {
    for (const way of waysTo(caller, entry, callers)) {
      if (ways.length < mostPaths) ways.push([...way, ...steps]);
    }
  }
  return ways;
}

function elementAt(program: Program, span: Span): ElementAccess | null {
  let best: ElementAccess | null = null;
  const consider = (access: ElementAccess): void => {
    if (!holds(access.span, span)) return;
    if (!best || length(access.span) < length(best.span)) best = access;
  };
  for (const { body } of program.functions) {
    walkStatements(body, {
      place: (place) => {
        if (place.kind === 'element') consider(place);
      },
      expression: (expression) => {
        if (expression.kind === 'element') consider(expression);
      },
    });
  }
  return best;
}

function declarationOf(program: Program, id: number): Declaration | null {
  const own = program.variables.find((variable) => variable.id === id);
  if (own) return own.initializer ? null : { variable: own, span: own.span };
  let found: Declaration | null = null;
  for (const { body } of program.functions) {
    walkStatements(body, {
      statement: (statement) => {
        if (statement.kind !== 'declare' || statement.initializer || statement.variable.id !== id) return;
        found = { variable: statement.variable, span: statement.span };
      },
    });
  }
  return found;
}
