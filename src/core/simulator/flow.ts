import type { Expression, FunctionDefinition, Place, Program, Statement, Value } from '../wgsl/program.js';
import { actsOn, hasEffects } from './effects.js';
import { rootOf, walkStatements } from './walk.js';

/** Whose values matter to something. Ids are those of variables, lets and parameters. */
export interface Relevance {
  readonly of: (id: number) => boolean;
  readonly ofResult: (functionId: number) => boolean;
  /** Names of the storage and uniform variables that are relevant. */
  readonly buffers: ReadonlySet<string>;
}

/** What may flow where in a program, over all executions. */
export interface Flow {
  /** What has to be right for accesses to be counted: that a branch depends on, or the address of what a branch depends on. */
  readonly counting: Relevance;
  /** What has to be right for accesses to be logged: addresses of everything, too. */
  readonly logging: Relevance;
  /** What has to be right for tags to be: all that any condition or choice between values depends on, too. */
  readonly following: Relevance;
  /**
   * Whether what is relevant passes from one invocation to another. Without that the counts of a workgroup's accesses are
   * the same if its invocations run one after the other, and no barrier has to be kept.
   */
  readonly needsWaits: boolean;
  /** Whether something relevant is stored from a subgroup matrix. */
  readonly needsMatrices: boolean;
  /** Whether invocations of a subgroup exchange values, or hold matrices together. */
  readonly hasSubgroups: boolean;
  /** Whether a word of a storage buffer may come to be held there. */
  readonly mayCarryTag: (id: number) => boolean;
  readonly mayReturnTag: (functionId: number) => boolean;
  /** Whether it may become part of an index. */
  readonly mayReachIndex: (id: number) => boolean;
  readonly mayReachIndexResult: (functionId: number) => boolean;
}

/** A node of the graph: the id of a variable, let or parameter; the result of function f is node -1 - f. */
type NodeId = number;
const resultNode = ({ id }: FunctionDefinition): NodeId => -1 - id;

/** Nodes that an expression's value is made of. `data`: by arithmetic; `needs`: also by conditions and addresses. */
interface Sources {
  readonly data: readonly NodeId[];
  readonly needs: readonly NodeId[];
}

const none: Sources = { data: [], needs: [] };

class Graph {
  private readonly edges = new Map<NodeId, Set<NodeId>>();

  add(from: readonly NodeId[], to: NodeId): void {
    for (const node of from) {
      const targets = this.edges.get(node) ?? new Set();
      this.edges.set(node, targets);
      targets.add(to);
    }
  }

  /** Everything that can be reached from these nodes, themselves included. */
  reach(from: Iterable<NodeId>): ReadonlySet<NodeId> {
    const found = new Set(from);
    for (const node of found) for (const next of this.edges.get(node) ?? []) found.add(next);
    return found;
  }
}

/** The flow graphs of a program while they are built. */
class Builder {
  /** From what a value is made of to where it goes. */
  readonly data = new Graph();
  /** From what is needed to what needs it, the other way round. */
  readonly needed = new Graph();
  readonly backwards = new Graph();
  /** What decides whether something is accessed; where; and which of several values something is. */
  readonly branches = new Set<NodeId>();
  readonly addresses = new Set<NodeId>();
  readonly choices = new Set<NodeId>();
  readonly indices = new Set<NodeId>();
  /** Variables that are assigned to somewhere. */
  readonly written = new Set<number>();
  /** Those of them that subgroup matrices are stored to. */
  readonly writtenByMatrices = new Set<number>();
  /** Whether invocations of a subgroup exchange values, and whether they hold matrices together. */
  hasExchanges = false;
  hasMatrices = false;
  private readonly roots = new Map<number, Set<number>>();

  constructor(program: Program) {
    // Callees stand before their callers: from the last function on, what parameters point at is known in time.
    for (const definition of program.functions.toReversed()) this.pointParameters(definition);
    for (const definition of program.functions) this.statements(definition.body, definition);
  }

  private pointParameters({ body }: FunctionDefinition): void {
    const note = (value: Value, pointer: Expression): void => {
      const own = this.roots.get(value.id) ?? new Set();
      this.roots.set(value.id, own);
      for (const root of this.pointees(pointer)) own.add(root);
    };
    walkStatements(body, {
      statement: (statement) => {
        if (statement.kind === 'let' && statement.value.type.kind === 'pointer')
          note(statement.value, statement.initializer);
      },
      expression: (expression) => {
        if (expression.kind !== 'call') return;
        for (const [index, parameter] of expression.function.parameters.entries()) {
          if (parameter.type.kind === 'pointer') note(parameter, expression.args[index]!);
        }
      },
    });
  }

  private pointees(pointer: Expression): readonly number[] {
    if (pointer.kind === 'address') return this.rootsOf(pointer.place);
    return pointer.kind === 'value' ? [...(this.roots.get(pointer.value.id) ?? [])] : [];
  }

  private rootsOf(place: Place): readonly number[] {
    const root = rootOf(place);
    if (root) return [root.id];
    let inner = place;
    while (inner.kind === 'element' || inner.kind === 'member') inner = inner.base;
    return inner.kind === 'dereference' ? this.pointees(inner.pointer) : [];
  }

  private flows(sources: Sources, to: NodeId): void {
    this.data.add(sources.data, to);
    for (const node of sources.data) this.backwards.add([to], node);
    for (const node of [...sources.data, ...sources.needs]) this.needed.add([to], node);
  }

  /** The indices on the way to a place: whoever needs what is there needs them. */
  private place(place: Place): readonly number[] {
    const roots = this.rootsOf(place);
    let inner = place;
    for (;;) {
      if (inner.kind === 'element') this.index(inner.index, roots);
      if (inner.kind === 'dereference') {
        this.sources(inner.pointer);
        return roots;
      }
      if (inner.kind === 'variable') return roots;
      inner = inner.base;
    }
  }

  private index(index: Expression, roots: readonly number[]): void {
    const { data, needs } = this.sources(index);
    for (const node of data) this.indices.add(node);
    for (const node of [...data, ...needs]) {
      this.addresses.add(node);
      for (const root of roots) this.needed.add([root], node);
    }
  }

  /** The variables that a subgroup matrix is loaded from or stored to; offset and stride are indices of theirs. */
  private matrixPlace(pointer: Expression, offset: Expression, stride: Expression): readonly number[] {
    this.sources(pointer);
    const roots = this.pointees(pointer);
    this.index(offset, roots);
    this.index(stride, roots);
    return roots;
  }

  private all(expressions: readonly Expression[]): Sources {
    const parts = expressions.map((part) => this.sources(part));
    return { data: parts.flatMap(({ data }) => data), needs: parts.flatMap(({ needs }) => needs) };
  }

  private sources(expression: Expression): Sources {
    const found = this.sourcesOf(expression);
    const { type } = expression;
    const isBool = (type.kind === 'scalar' || type.kind === 'vector') && type.scalar === 'bool';
    return isBool ? { data: [], needs: [...found.data, ...found.needs] } : found;
  }

  private sourcesOf(expression: Expression): Sources {
    switch (expression.kind) {
      case 'constant':
        return none;
      case 'value':
        return { data: [expression.value.id], needs: [] };
      case 'load':
        return { data: this.place(expression.place), needs: [] };
      case 'address':
        this.place(expression.place);
        return none;
      case 'unary':
      case 'convert':
      case 'bitcast':
        return this.sources(expression.operand);
      case 'binary':
        return this.all([expression.left, expression.right]);
      case 'logical': {
        const { data, needs } = this.sources(expression.left);
        if (hasEffects(expression.right)) for (const node of [...data, ...needs]) this.branches.add(node);
        const right = this.sources(expression.right);
        return { data: [], needs: [...data, ...needs, ...right.data, ...right.needs] };
      }
      case 'construct':
      case 'builtin':
      case 'subgroup':
        this.hasExchanges ||= expression.kind === 'subgroup';
        if (expression.kind === 'builtin' && expression.name === 'select') this.choose(expression.args[2]!);
        return this.all(expression.kind === 'construct' ? expression.parts : expression.args);
      case 'subgroup-matrix':
        this.hasMatrices = true;
        if (expression.name !== 'subgroupMatrixLoad') return this.all(expression.args);
        return { data: this.matrixPlace(expression.args[0]!, expression.args[1]!, expression.args[3]!), needs: [] };
      case 'element': {
        const base = this.sources(expression.base);
        const index = this.choose(expression.index);
        for (const node of index.data) this.indices.add(node);
        return { data: base.data, needs: [...base.needs, ...index.data, ...index.needs] };
      }
      case 'member':
      case 'swizzle':
        return this.sources(expression.base);
      case 'call':
        return this.call(expression);
      case 'array-length':
        return none;
      case 'uniform-load':
        return { data: this.pointees(expression.pointer), needs: this.sources(expression.pointer).needs };
      case 'atomic': {
        this.sources(expression.pointer);
        const args = this.all(expression.args);
        const roots = this.pointees(expression.pointer);
        for (const root of roots) {
          this.written.add(root);
          this.flows(args, root);
        }
        return { data: roots, needs: [] };
      }
    }
  }

  /** What an expression is made of that says which of several values it is. */
  private choose(by: Expression): Sources {
    const found = this.sources(by);
    for (const node of [...found.data, ...found.needs]) this.choices.add(node);
    return found;
  }

  private call(expression: Extract<Expression, { kind: 'call' }>): Sources {
    for (const [index, parameter] of expression.function.parameters.entries()) {
      const sources = this.sources(expression.args[index]!);
      if (parameter.type.kind !== 'pointer') this.flows(sources, parameter.id);
    }
    return { data: [resultNode(expression.function)], needs: [] };
  }

  private statements(statements: readonly Statement[], definition: FunctionDefinition): void {
    for (const statement of statements) this.statement(statement, definition);
  }

  private statement(statement: Statement, definition: FunctionDefinition): void {
    switch (statement.kind) {
      case 'block':
        this.statements(statement.body, definition);
        return;
      case 'declare':
        if (statement.initializer) this.flows(this.sources(statement.initializer), statement.variable.id);
        return;
      case 'let':
        this.flows(this.sources(statement.initializer), statement.value.id);
        return;
      case 'assign':
      case 'update': {
        const value = this.sources(statement.value);
        for (const root of this.place(statement.place)) {
          this.written.add(root);
          this.flows(value, root);
        }
        return;
      }
      case 'evaluate':
        this.sources(statement.expression);
        return;
      case 'if':
        this.branch(statement.condition, [...statement.then, ...statement.otherwise]);
        this.statements(statement.then, definition);
        this.statements(statement.otherwise, definition);
        return;
      case 'loop':
        this.statements(statement.init, definition);
        if (statement.condition) this.always(statement.condition);
        this.statements(statement.body, definition);
        this.statements(statement.continuing, definition);
        if (statement.breakIf) this.always(statement.breakIf);
        return;
      case 'switch': {
        const bodies = statement.clauses.flatMap(({ body }) => body);
        this.branch(statement.selector, bodies);
        this.statements(bodies, definition);
        return;
      }
      case 'return':
        if (statement.value) this.flows(this.sources(statement.value), resultNode(definition));
        return;
      case 'subgroup-matrix-store': {
        this.hasMatrices = true;
        const [pointer, offset, matrix, , stride] = statement.args;
        const value = this.sources(matrix!);
        for (const root of this.matrixPlace(pointer!, offset!, stride!)) {
          this.written.add(root);
          this.writtenByMatrices.add(root);
          this.flows(value, root);
        }
        return;
      }
      case 'break':
      case 'continue':
      case 'barrier':
    }
  }

  private always(condition: Expression): void {
    const { data, needs } = this.sources(condition);
    for (const node of [...data, ...needs]) this.branches.add(node);
  }

  /** A condition matters by itself where its branches do something; else to the variables they assign. */
  private branch(condition: Expression, bodies: readonly Statement[]): void {
    const { data, needs } = this.choose(condition);
    const nodes = [...data, ...needs];
    if (bodies.some((body) => actsOn(body))) {
      for (const node of nodes) this.branches.add(node);
      return;
    }
    walkStatements(bodies, {
      statement: (inner) => {
        if (inner.kind !== 'assign' && inner.kind !== 'update') return;
        for (const root of this.rootsOf(inner.place)) for (const node of nodes) this.needed.add([root], node);
      },
    });
  }
}

/** Names of the variables whose buffers later passes need right: they count as relevant here. */
export type LaterNeeds = Readonly<Record<'counting' | 'logging' | 'following', ReadonlySet<string>>>;

/** Works out what flows where. */
export function analyseFlow(program: Program, later: LaterNeeds): Flow {
  const builder = new Builder(program);
  const storage = program.variables.filter(({ space }) => space === 'storage');
  const bound = program.variables.filter(({ space }) => space === 'storage' || space === 'uniform');
  const shared = program.variables.filter(({ space }) => space === 'storage' || space === 'workgroup');
  const relevance = (names: ReadonlySet<string>, from: Iterable<NodeId>): Relevance => {
    const needed = storage.filter(({ name }) => names.has(name)).map(({ id }) => id);
    const relevant = builder.needed.reach([...from, ...needed]);
    return {
      of: (id) => relevant.has(id),
      ofResult: (id) => relevant.has(-1 - id),
      buffers: new Set(bound.filter(({ id }) => relevant.has(id)).map(({ name }) => name)),
    };
  };
  const counting = relevance(later.counting, builder.branches);
  const tagged = builder.data.reach(storage.map(({ id }) => id));
  const indices = builder.backwards.reach(builder.indices);
  return {
    counting,
    logging: relevance(later.logging, [...builder.branches, ...builder.addresses]),
    following: relevance(later.following, [...builder.branches, ...builder.addresses, ...builder.choices]),
    needsWaits: builder.hasExchanges || shared.some(({ id }) => counting.of(id) && builder.written.has(id)),
    needsMatrices: [...builder.writtenByMatrices].some((id) => counting.of(id)),
    hasSubgroups: builder.hasExchanges || builder.hasMatrices,
    mayCarryTag: (id) => tagged.has(id),
    mayReturnTag: (id) => tagged.has(-1 - id),
    mayReachIndex: (id) => indices.has(id),
    mayReachIndexResult: (id) => indices.has(-1 - id),
  };
}
