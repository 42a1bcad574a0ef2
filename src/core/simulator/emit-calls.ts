import type { Expression, FunctionDefinition, Statement, Value, ValueType } from '../wgsl/program.js';
import { named, tagOnly, type Component, type Components } from './component.js';
import type { FunctionContext, Pointer } from './emit-context.js';
import { exactOf } from './emit-arithmetic.js';
import { expressionOf } from './emit-expressions.js';
import { pointerOf } from './emit-memory.js';
import { defineValue, writeStatements } from './emit-statements.js';
import { carriesTag, leavesOf, type LeafScalar } from './flatten.js';
import { walkStatements } from './walk.js';

/** Statements and expressions of the largest function that is written where it is called. */
const inlineLimit = 160;

type CallExpression = Extract<Expression, { kind: 'call' }>;

/** The result of a call. Small functions without loops are written in place; others are called. */
export function callOf({ function: definition, args }: CallExpression, context: FunctionContext): Components {
  const pointers = args.map((argument) => (argument.type.kind === 'pointer' ? pointerOf(argument, context) : null));
  const values = args.map((argument, index) => (pointers[index] ? [] : expressionOf(argument, context)));
  return isInlined(definition)
    ? inlined(definition, pointers, values, context)
    : called(definition, pointers, values, context);
}

const inlinable = new WeakMap<FunctionDefinition, boolean>();

/** True for functions that are straight-line code with one return at the end. */
function isInlined(definition: FunctionDefinition): boolean {
  const known = inlinable.get(definition);
  if (known !== undefined) return known;
  let size = 0;
  let good = true;
  const last = definition.body.at(-1);
  walkStatements(definition.body, {
    statement: (statement) => {
      size++;
      if (statement.kind === 'loop' || (statement.kind === 'return' && statement !== last)) good = false;
    },
    expression: () => size++,
  });
  if (definition.result.kind !== 'void' && last?.kind !== 'return') good = false;
  const result = good && size <= inlineLimit;
  inlinable.set(definition, result);
  return result;
}

function inlined(
  definition: FunctionDefinition,
  pointers: readonly (Pointer | null)[],
  values: readonly Components[],
  context: FunctionContext,
): Components {
  const inner: FunctionContext = { ...context, definition, loopDepth: Infinity };
  return context.writer.scope('inlined', () => written(definition, pointers, values, inner));
}

function written(
  definition: FunctionDefinition,
  pointers: readonly (Pointer | null)[],
  values: readonly Components[],
  context: FunctionContext,
): Components {
  for (const [index, parameter] of definition.parameters.entries()) {
    const pointer = pointers[index];
    if (pointer) context.pointers.set(parameter.id, pointer);
    else defineValue(parameter, values[index]!, context);
  }
  const last = definition.body.at(-1);
  const ends = last?.kind === 'return';
  const statements: readonly Statement[] = ends ? definition.body.slice(0, -1) : definition.body;
  writeStatements(statements, context);
  return ends && last.value ? expressionOf(last.value, context).map((part) => context.writer.keep(part)) : [];
}

/** The scalars that a value travels in, with its tag and its exact value where it has them. */
export interface Passage {
  readonly scalar: LeafScalar;
  /** False where it is left out. */
  readonly value: boolean;
  readonly tag: boolean;
  readonly exact: boolean;
}

/** How a parameter is passed. */
export function passageOf(value: Value, { pass }: Pick<FunctionContext, 'pass'>): readonly Passage[] {
  return passages(value.type, pass.isRelevant(value), pass.mayCarryTag(value.id), pass.watchesExact(value.id));
}

/** How the result of a function is passed. */
export function resultPassage(
  definition: FunctionDefinition,
  { pass }: Pick<FunctionContext, 'pass'>,
): readonly Passage[] {
  const { id, result } = definition;
  return passages(result, pass.isRelevantResult(definition), pass.mayReturnTag(id), pass.watchesExactResult(id));
}

function passages(type: ValueType, value: boolean, tagged: boolean, watched: boolean): Passage[] {
  return leavesOf(type).map(({ scalar }) => ({
    scalar,
    value,
    tag: tagged && carriesTag(scalar),
    exact: watched && (scalar === 'i32' || scalar === 'u32'),
  }));
}

function called(
  definition: FunctionDefinition,
  pointers: readonly (Pointer | null)[],
  values: readonly Components[],
  context: FunctionContext,
): Components {
  const { pass, writer } = context;
  const handle = pass.functionFor(definition, pointers);
  const args = ['fp'];
  for (const [index, parameter] of definition.parameters.entries()) {
    const pointer = pointers[index];
    if (pointer) {
      if (pointer.dynamic !== null) args.push(pointer.dynamic);
      continue;
    }
    for (const [at, passage] of passageOf(parameter, context).entries()) {
      const component = passage.exact ? writer.repeatable(values[index]![at]!) : values[index]![at]!;
      if (passage.value) args.push(component.code);
      if (passage.tag) args.push(component.tag);
      if (passage.exact) args.push(exactOf(component, passage.scalar));
    }
  }
  writer.endRegion();
  const call = `${handle.generator ? 'yield* ' : ''}${handle.name}(${args.join(', ')})`;
  const results = resultPassage(definition, context);
  if (results.length === 0) {
    writer.line(`${call};`);
    return [];
  }
  if (!results[0]!.value) writer.line(`${call};`);
  const first = results[0]!.value ? writer.temporary(call) : '0';
  return results.map((passage, index) => received(passage, index, first, context));
}

/** A component of a result: the first is returned, all others lie in R (matrices in RM), tags in RT, exact values in RE. */
function received(
  { scalar, value, tag, exact }: Passage,
  index: number,
  first: string,
  { writer }: FunctionContext,
): Component {
  if (!value) return tagOnly(scalar, tag ? writer.temporary(`RT[${index}]`) : '0');
  const raw = scalar === 'matrix' ? `RM[${index}]` : `R[${index}]`;
  const integer = scalar === 'i32' || scalar === 'u32';
  const code =
    index === 0 ? first : writer.temporary(scalar === 'bool' ? `${raw} !== 0` : integer ? `${raw} | 0` : raw);
  return {
    ...named(code),
    tag: tag ? writer.temporary(`RT[${index}]`) : '0',
    exact: exact ? writer.temporary(`RE[${index}]`) : null,
  };
}

/** Writes the return of a result to the caller. */
export function writeReturn(definition: FunctionDefinition, result: Components, context: FunctionContext): void {
  const { writer } = context;
  writer.endRegion();
  const kept = result.map((part) => writer.repeatable(part));
  for (const [index, { scalar, value, tag, exact }] of resultPassage(definition, context).entries()) {
    const part = kept[index]!;
    const result = scalar === 'matrix' ? 'RM' : 'R';
    if (value && index > 0)
      writer.line(`${result}[${index}] = ${scalar === 'bool' ? `${part.code} ? 1 : 0` : part.code};`);
    if (tag) writer.line(`RT[${index}] = ${part.tag};`);
    if (exact) writer.line(`RE[${index}] = ${exactOf(part, scalar)};`);
  }
  const returnsValue = kept.length > 0 && context.pass.isRelevantResult(definition);
  writer.line(returnsValue ? `return ${kept[0]!.code};` : 'return;');
}
