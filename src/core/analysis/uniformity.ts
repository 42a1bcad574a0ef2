import { rootOf, walkExpression } from '../simulator/walk.js';
import type { BuiltinInput, Expression, FunctionDefinition, Place, Program, Statement } from '../wgsl/program.js';
import { innerBlocks, ownExpressions, placeExpressions } from './statement-parts.js';

/** What is the same for all invocations of a workgroup, as far as the text of a program tells. Errs towards "no". */
export interface Uniformity {
  /** All invocations of a workgroup that reach the statement's function reach it together, with the same history. */
  readonly reachedTogether: (statement: Statement) => boolean;
  /** The expression has the same value in all of them, where they evaluate it together. */
  readonly sameValue: (expression: Expression) => boolean;
}

const uniformInputs: readonly BuiltinInput[] = [
  'workgroup_id',
  'num_workgroups',
  'workgroup_index',
  'subgroup_size',
  'num_subgroups',
];

/** How control leaves a list of statements for only a part of the invocations. */
interface Leaks {
  returns: boolean;
  /** By `break` or `continue` of the loop around. */
  jumps: boolean;
}

/** Works out the uniformity of a program: values by what they are computed from, control flow by its conditions. */
export function uniformityOf(program: Program): Uniformity {
  // What a function returns is judged by its own text: whether its arguments differ is each call's matter.
  const alone = new Analysis(program, null);
  const analysis = new Analysis(program, alone.differingResults);
  return {
    reachedTogether: (statement) => analysis.together.has(statement),
    sameValue: (expression) => analysis.isUniform(expression),
  };
}

class Analysis {
  /** Statements that are reached together, in the current round. */
  together = new Set<Statement>();
  /** Values, variables (by id) and results of functions (by id) that may differ; grows until nothing changes. */
  private readonly differing = new Set<number>();
  readonly differingResults: Set<number>;
  private readonly scatteredFunctions = new Set<number>();
  private readonly pointedAt = new Set<number>();
  private readonly functions = new Map<number, FunctionDefinition>();
  private changed = true;

  /** With `results` null functions are looked at as if all were called together with equal arguments. */
  constructor(
    program: Program,
    private readonly results: ReadonlySet<number> | null,
  ) {
    this.differingResults = new Set(results);
    for (const definition of program.functions) this.functions.set(definition.id, definition);
    for (const { parameter, builtin } of program.entry.inputs) {
      if (!uniformInputs.includes(builtin)) this.differing.add(parameter.id);
    }
    while (this.changed) {
      this.changed = false;
      this.together = new Set();
      // Callers stand after the functions they call: backwards, a function comes when all its calls are known.
      for (const definition of [...program.functions].reverse()) {
        const leaks = { returns: false, jumps: false };
        this.walk(definition, definition.body, !this.scatteredFunctions.has(definition.id), leaks);
      }
    }
  }

  isUniform(expression: Expression): boolean {
    switch (expression.kind) {
      case 'value':
        return !this.differing.has(expression.value.id);
      case 'load':
      case 'address':
        return this.isUniformPlace(expression.place, expression.kind === 'load');
      case 'atomic':
      case 'subgroup':
      case 'subgroup-matrix':
        return false;
      case 'uniform-load':
      case 'constant':
      case 'array-length':
        return true;
      case 'call':
        return (
          !this.differingResults.has(expression.function.id) && expression.args.every((arg) => this.isUniform(arg))
        );
      case 'unary':
      case 'convert':
      case 'bitcast':
        return this.isUniform(expression.operand);
      case 'binary':
      case 'logical':
        return this.isUniform(expression.left) && this.isUniform(expression.right);
      case 'construct':
        return expression.parts.every((part) => this.isUniform(part));
      case 'builtin':
        return expression.args.every((arg) => this.isUniform(arg));
      case 'element':
        return this.isUniform(expression.base) && this.isUniform(expression.index);
      case 'member':
      case 'swizzle':
        return this.isUniform(expression.base);
    }
  }

  private isUniformPlace(place: Place, loaded: boolean): boolean {
    if (!placeExpressions(place).every((expression) => this.isUniform(expression))) return false;
    const variable = rootOf(place);
    if (!loaded) return true;
    if (variable === null) return false;
    switch (variable.space) {
      case 'uniform':
        return true;
      case 'storage':
        return variable.access === 'read';
      case 'function':
        return !this.differing.has(variable.id) && !this.pointedAt.has(variable.id);
      default:
        return false;
    }
  }

  private mark(set: Set<number>, id: number): void {
    if (set.has(id)) return;
    set.add(id);
    this.changed = true;
  }

  private walk(owner: FunctionDefinition, statements: readonly Statement[], together: boolean, leaks: Leaks): boolean {
    let here = together;
    for (const statement of statements) {
      if (here) this.together.add(statement);
      this.flow(owner, statement, here);
      here = this.control(owner, statement, here, leaks);
    }
    return here;
  }

  /** What values a statement makes differ. */
  private flow(owner: FunctionDefinition, statement: Statement, together: boolean): void {
    for (const own of ownExpressions(statement)) {
      walkExpression(own, {
        expression: (expression) => {
          if (expression.kind === 'call') this.flowIntoCall(expression, together);
          if (expression.kind === 'address') {
            const variable = rootOf(expression.place);
            if (variable) this.mark(this.pointedAt, variable.id);
          }
        },
      });
    }
    switch (statement.kind) {
      case 'let':
        if (!this.isUniform(statement.initializer)) this.mark(this.differing, statement.value.id);
        break;
      case 'declare':
        if (statement.initializer && !this.isUniform(statement.initializer)) {
          this.mark(this.differing, statement.variable.id);
        }
        break;
      case 'assign':
      case 'update': {
        const variable = rootOf(statement.place);
        const same = together && ownExpressions(statement).every((expression) => this.isUniform(expression));
        if (variable && !same) this.mark(this.differing, variable.id);
        break;
      }
      case 'return':
        if (this.results === null && (!together || (statement.value && !this.isUniform(statement.value)))) {
          this.mark(this.differingResults, owner.id);
        }
        break;
      default:
    }
  }

  private flowIntoCall(call: Extract<Expression, { kind: 'call' }>, together: boolean): void {
    if (this.results === null) return;
    if (!together) this.mark(this.scatteredFunctions, call.function.id);
    const parameters = this.functions.get(call.function.id)?.parameters ?? [];
    parameters.forEach(({ id }, index) => {
      const argument = call.args[index];
      if (argument && !this.isUniform(argument)) this.mark(this.differing, id);
    });
  }

  /** Walks the statements inside a statement; returns whether the invocations are together again after it. */
  private control(owner: FunctionDefinition, statement: Statement, together: boolean, leaks: Leaks): boolean {
    switch (statement.kind) {
      case 'block':
        return this.walk(owner, statement.body, together, leaks);
      case 'if':
      case 'switch': {
        const selector = statement.kind === 'if' ? statement.condition : statement.selector;
        const inside = together && this.isUniform(selector);
        const own = { returns: false, jumps: false };
        const ends = innerBlocks(statement).map((block) => this.walk(owner, block, inside, own));
        leaks.returns ||= own.returns;
        // A `break` inside a switch ends the switch alone; taking it for one of the loop only errs towards "no".
        leaks.jumps ||= own.jumps;
        // Different ways of leaving under a uniform condition are the same way for everybody.
        return together && !own.returns && !own.jumps && (!inside || ends.every((end) => end));
      }
      case 'loop':
        return this.loop(owner, statement, together, leaks);
      case 'return':
        if (!together) leaks.returns = true;
        return together;
      case 'break':
      case 'continue':
        if (!together) leaks.jumps = true;
        return together;
      default:
        return together;
    }
  }

  private loop(
    owner: FunctionDefinition,
    statement: Extract<Statement, { kind: 'loop' }>,
    together: boolean,
    leaks: Leaks,
  ): boolean {
    const start = this.walk(owner, statement.init, together, leaks);
    const conditions = [statement.condition, statement.breakIf].filter((condition) => condition !== null);
    const inside = start && conditions.every((condition) => this.isUniform(condition));
    const before = new Set(this.together);
    const own = { returns: false, jumps: false };
    this.walk(owner, statement.body, inside, own);
    this.walk(owner, statement.continuing, inside && !own.returns && !own.jumps, own);
    if (inside && (own.returns || own.jumps)) {
      // Some invocations leave earlier than others: the next time round the body is not reached together.
      this.together = before;
      this.walk(owner, statement.body, false, own);
      this.walk(owner, statement.continuing, false, own);
    }
    leaks.returns ||= own.returns;
    return start && !own.returns;
  }
}
