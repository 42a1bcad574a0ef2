import type { Statement, Value } from '../wgsl/program.js';
import { literal, withoutValue, type Components } from './component.js';
import { exactOf } from './emit-arithmetic.js';
import type { FunctionContext, RegisterNames } from './emit-context.js';
import { expressionOf, matrixUpdate, pairwiseOperation, scalarExpression, toStack } from './emit-expressions.js';
import { writeLoop } from './emit-loops.js';
import { load, noteDeclaration, pointerOf, pointerTo, store } from './emit-memory.js';
import { record } from './emit-records.js';
import { storeMatrix } from './emit-subgroup-matrices.js';
import { carriesTag, leavesOf, scalarOf } from './flatten.js';
import { rootOf } from './walk.js';

/** Writes statements one after another, as far as control can reach. */
export function writeStatements(statements: readonly Statement[], context: FunctionContext): void {
  for (const statement of statements) {
    context.writer.scope('statement', () => writeStatement(statement, context));
    if (statement.kind === 'break' || statement.kind === 'continue' || statement.kind === 'return') return;
  }
}

/** Writes statements whose lets and variables nothing behind them uses. */
export function writeBlock(statements: readonly Statement[], context: FunctionContext): void {
  context.writer.scope('block', () => writeStatements(statements, context));
}

function writeStatement(statement: Statement, context: FunctionContext): void {
  const { writer, exits } = context;
  switch (statement.kind) {
    case 'block':
      writeBlock(statement.body, context);
      return;
    case 'declare':
      declare(statement, context);
      return;
    case 'let':
      writeLet(statement, context);
      return;
    case 'assign': {
      const pointer = pointerTo(statement.place, context);
      const value = expressionOf(statement.value, context);
      const kept = context.pass.variant.values ? value.map((part) => writer.keep(part)) : value;
      store(pointer, statement.place.type, kept, { node: statement, span: statement.place.span }, context);
      record(rootOf(statement.place)?.name ?? null, statement.place, kept, context);
      return;
    }
    case 'update':
      update(statement, context);
      return;
    case 'evaluate':
      if (statement.expression.type.kind !== 'pointer') expressionOf(statement.expression, context);
      return;
    case 'if':
      writeIf(statement, context);
      return;
    case 'loop':
      writeLoop(statement, context);
      return;
    case 'switch':
      writeSwitch(statement, context);
      return;
    case 'break':
      writer.endRegion();
      writer.line(exits.breaks);
      return;
    case 'continue':
      writer.endRegion();
      writer.line(exits.continues);
      return;
    case 'return': {
      const result = statement.value ? expressionOf(statement.value, context) : [];
      exits.returns(result, statement.value?.type ?? { kind: 'void' });
      return;
    }
    case 'barrier': {
      const kind = statement.scope === 'subgroup' ? 'subgroup' : 'barrier';
      const name = `${statement.scope}Barrier`;
      const point = context.pass.addSync({ kind, span: statement.span, name, width: 0, scalar: 'u32', matrix: null });
      if (!context.pass.waits) return;
      writer.endRegion();
      writer.line(`yield ${point};`);
      return;
    }
    case 'subgroup-matrix-store':
      storeMatrix(statement, context);
  }
}

/** Gives a value its name: lets and parameters. A value that is indexed dynamically also goes to the stack. */
export function defineValue(value: Value, parts: Components, context: FunctionContext): void {
  const { writer, values, pass } = context;
  const omitted = !pass.isRelevant(value);
  const leaves = leavesOf(value.type);
  const kept = parts.map((part, index) => writer.define(omitted ? withoutValue(leaves[index]!.scalar, part) : part));
  values.set(value.id, kept);
  const offset = pass.stackOffsetOf(value.id);
  if (offset !== null) toStack(value.type, offset, kept, omitted, context);
}

function writeLet({ value, initializer, span }: Extract<Statement, { kind: 'let' }>, context: FunctionContext): void {
  if (value.type.kind === 'pointer') {
    const pointer = pointerOf(initializer, context);
    if (pointer.dynamic !== null) context.writer.retain(pointer.dynamic);
    context.pointers.set(value.id, pointer);
    return;
  }
  defineValue(value, expressionOf(initializer, context), context);
  record(value.name, { span, type: value.type }, context.values.get(value.id) ?? [], context);
}

function declare(
  { variable, initializer, span }: Extract<Statement, { kind: 'declare' }>,
  context: FunctionContext,
): void {
  const { pass, writer, registers } = context;
  const leaves = leavesOf(variable.type);
  const value = initializer
    ? expressionOf(initializer, context)
    : leaves.map(({ scalar }) => literal(scalar, scalar === 'bool' ? false : 0));
  const kept = pass.variant.values ? value.map((part) => writer.keep(part)) : value;
  const residence = pass.residenceOf(variable);
  const omitted = !pass.isRelevant(variable);
  if (residence.kind === 'register') {
    const names = leaves.map(({ scalar }, index): RegisterNames => {
      const tagged = carriesTag(scalar) && pass.mayCarryTag(variable.id);
      const watched = (scalar === 'i32' || scalar === 'u32') && pass.watchesExact(variable.id);
      const part = watched ? writer.repeatable(kept[index]!) : kept[index]!;
      const exact = watched ? writer.declare(exactOf(part, scalar)) : null;
      const value = omitted ? '0' : writer.declare(part.code);
      return { value, tag: tagged ? writer.declare(part.tag) : '0', exact };
    });
    registers.set(variable.id, names);
  } else {
    const pointer = { root: variable, constant: 0, dynamic: null };
    const node = { node: variable, span };
    if (residence.kind === 'stack' && residence.logged) noteDeclaration(pointer, variable.type, node, context);
    initialize(variable.id, residence, leaves.length, kept, initializer !== null, pointer, context);
  }
  if (initializer) record(variable.name, { span, type: variable.type }, kept, context);
}

/** Writes the start of the lives of the private variables. */
export function initializePrivate(context: FunctionContext): void {
  for (const variable of context.pass.program.variables) {
    if (variable.space !== 'private') continue;
    declare({ kind: 'declare', variable, initializer: variable.initializer, span: variable.nameSpan }, context);
  }
}

/** Above this many scalars a variable is set to zero by one call instead of a store for each. */
const fillLimit = 16;

function initialize(
  id: number,
  residence: ReturnType<FunctionContext['pass']['residenceOf']>,
  count: number,
  value: Components,
  given: boolean,
  pointer: Parameters<typeof store>[0],
  context: FunctionContext,
): void {
  const { writer, pass } = context;
  if (residence.kind !== 'stack') return;
  const omitted = !pass.isRelevant(pointer.root);
  if (omitted && !pass.mayCarryTag(id)) return;
  const zero = value.every(({ code, tag }) => (code === '0' || code === 'false' || code === 'null') && tag === '0');
  const views = new Set(leavesOf(pointer.root.type).map(({ scalar }) => (scalar === 'matrix' ? 'SM' : 'SI')));
  if (zero && count > fillLimit) {
    for (const view of omitted ? [] : views) {
      const from = residence.offset;
      writer.line(`${view}.fill(${view === 'SM' ? 'null' : 0}, fp + ${from}, fp + ${from + count});`);
    }
    if (pass.mayCarryTag(id)) writer.line(`ST.fill(0, fp + ${residence.offset}, fp + ${residence.offset + count});`);
    return;
  }
  if (given || !residence.logged) {
    toStack(pointer.root.type, residence.offset, value, omitted, context);
    if (pass.mayCarryTag(id) && value.every(({ tag }) => tag === '0')) {
      writer.line(`ST.fill(0, fp + ${residence.offset}, fp + ${residence.offset + count});`);
    }
    return;
  }
  for (const [index, { scalar }] of leavesOf(pointer.root.type).entries()) {
    const place = `[fp + ${residence.offset + index}]`;
    writer.line(scalar === 'matrix' ? `SM${place} = null;` : `SI${place} = 0;`);
  }
}

function update(statement: Extract<Statement, { kind: 'update' }>, context: FunctionContext): void {
  const { place, operator, value } = statement;
  const { writer, pass } = context;
  const pointer = pointerTo(place, context);
  const right = expressionOf(value, context);
  const left = load(pointer, place.type, { node: statement, span: place.span }, context);
  const scalar = scalarOf(place.type);
  const result =
    matrixUpdate(operator, place.type, left, value.type, right, context) ??
    pairwiseOperation(operator, scalar, left, right, statement, context);
  const kept = pass.variant.values ? result.map((part) => writer.keep(part)) : result;
  store(pointer, place.type, kept, { node: place, span: place.span }, context);
  record(rootOf(place)?.name ?? null, place, kept, context);
}

function writeIf(statement: Extract<Statement, { kind: 'if' }>, context: FunctionContext): void {
  const { writer } = context;
  const condition = scalarExpression(statement.condition, context);
  const then = writer.aside(() => writeBlock(statement.then, context)).lines;
  const otherwise = writer.aside(() => writeBlock(statement.otherwise, context)).lines;
  if (then.length === 0 && otherwise.length === 0) return;
  writer.block(`if (${condition.code}) {`, () => writer.append(then), otherwise.length === 0 ? '}' : '} else {');
  if (otherwise.length > 0) {
    writer.append(otherwise);
    writer.line('}');
  }
}

function writeSwitch(statement: Extract<Statement, { kind: 'switch' }>, context: FunctionContext): void {
  const { writer } = context;
  const selector = scalarExpression(statement.selector, context);
  const label = writer.fresh('S');
  const inner: FunctionContext = { ...context, exits: { ...context.exits, breaks: `break ${label};` } };
  writer.block(`${label}: switch (${selector.code}) {`, () => {
    for (const { values, isDefault, body } of statement.clauses) {
      const heads = [...values.map((value) => `case ${value | 0}:`), ...(isDefault ? ['default:'] : [])];
      writer.block(`${heads.join(' ')} {`, () => {
        writeBlock(body, inner);
        writer.endRegion();
        writer.line(`break ${label};`);
      });
    }
  });
}
