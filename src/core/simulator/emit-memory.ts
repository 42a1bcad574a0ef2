import type { Span } from '../diagnostic.js';
import { isRuntimeSized } from '../wgsl/layout.js';
import type { Expression, Place, ValueType, Variable } from '../wgsl/program.js';
import type { Scalar } from '../wgsl/types.js';
import { literal, named, tagOnly, variable, constantOf, type Component, type Components } from './component.js';
import { Unsupported, type FunctionContext, type Pointer, type Residence } from './emit-context.js';
import { expressionOf } from './emit-expressions.js';
import {
  accessBytes,
  carriesTag,
  elementsOf,
  leavesOf,
  memberLeaves,
  stackView,
  strideOf,
  type Leaf,
  type LeafScalar,
} from './flatten.js';
import { memberOffsets } from '../wgsl/layout.js';
import { hasLanes } from './emit-tags.js';

/** Where a place lies. Writes the evaluation of its indices, with the check of their bounds. */
export function pointerTo(place: Place, context: FunctionContext): Pointer {
  switch (place.kind) {
    case 'variable':
      return { root: place.variable, constant: 0, dynamic: null };
    case 'dereference':
      return pointerOf(place.pointer, context);
    case 'member': {
      const base = pointerTo(place.base, context);
      return { ...base, constant: base.constant + memberDistance(place.base.type, place.member, base.root, context) };
    }
    case 'element':
      return elementPointer(place, context);
  }
}

/** The pointer that an expression of pointer type stands for. */
export function pointerOf(expression: Expression, context: FunctionContext): Pointer {
  if (expression.kind === 'address') return pointerTo(expression.place, context);
  const pointer = expression.kind === 'value' ? context.pointers.get(expression.value.id) : undefined;
  if (pointer) return pointer;
  throw new Unsupported('This pointer cannot be followed to its variable.', expression.span, null);
}

function memberDistance(type: ValueType, member: number, root: Variable, { pass }: FunctionContext): number {
  const residence = pass.residenceOf(root);
  if (residence.kind !== 'memory') return memberLeaves(type, member).start;
  const offsets = type.kind === 'struct' ? memberOffsets(type) : null;
  return (offsets?.[member]?.byteOffset ?? 0) / residence.unitBytes;
}

function elementDistance(type: ValueType, residence: Residence): number {
  return residence.kind === 'memory' ? strideOf(type) / residence.unitBytes : leavesOf(elementsOf(type).element).length;
}

/** Elements of the array, vector or matrix at a pointer; of a runtime-sized array as many as its buffer holds. */
export function countAt(
  type: ValueType,
  { constant }: Pointer,
  residence: Residence,
  { pass }: Pick<FunctionContext, 'pass'>,
): number {
  if (type.kind !== 'array' || type.count !== null || residence.kind !== 'memory') return elementsOf(type).count;
  pass.bindToSizes();
  return Math.max(1, Math.floor((residence.bytes - constant * residence.unitBytes) / strideOf(type)));
}

function elementPointer(place: Extract<Place, { kind: 'element' }>, context: FunctionContext): Pointer {
  const base = pointerTo(place.base, context);
  const index = expressionOf(place.index, context)[0]!;
  const residence = context.pass.residenceOf(base.root);
  const stride = elementDistance(place.base.type, residence);
  const fixed = constantOf(index);
  const idle = context.pass.variant.omits === 'addresses' && !context.pass.isRelevant(base.root);
  // Before the limit is asked for: that of a buffer binds the text to the buffer's length.
  if (idle && fixed === null) return base;
  const limit = countAt(place.base.type, base, residence, context);
  if (fixed !== null && fixed >= 0 && fixed < limit) return { ...base, constant: base.constant + fixed * stride };
  if (idle) return base;
  const at = checkedIndex(index, place.index, limit, base.root.name, context);
  const term = scaled(at, stride);
  const dynamic = base.dynamic === null ? term : `(${base.dynamic} + ${term} | 0)`;
  return { ...base, dynamic: context.writer.temporary(dynamic) };
}

/** The index, or the last one where it is out of bounds (which is noted): what Dawn's robustness makes of it. */
export function checkedIndex(
  index: Component,
  expression: Expression,
  limit: number,
  variableName: string | null,
  { writer, pass }: FunctionContext,
): string {
  const { range } = index;
  const inside = range !== null && range.low >= 0 && range.high < limit;
  const signed = expression.type.kind === 'scalar' && expression.type.scalar === 'i32';
  if (index.exact !== null) noteOverflow(index, expression, signed, variableName, { writer, pass });
  if (inside) return writer.repeatable(index).code;
  const fault = pass.addFault({ kind: 'out-of-bounds', span: expression.span, variable: variableName, limit, signed });
  const name = writer.temporary(index.code);
  writer.line(`if (${name} >>> 0 >= ${limit}) ${name} = outside(${fault}, ${name});`);
  return name;
}

/** Notes an index that wrapped round on its way: its exact value is another one. */
export function noteOverflow(
  index: Component,
  expression: Expression,
  signed: boolean,
  variableName: string | null,
  { writer, pass }: Pick<FunctionContext, 'writer' | 'pass'>,
): void {
  const span = expression.span;
  const fault = pass.addFault({ kind: 'index-overflow', span, variable: variableName, limit: null, signed });
  const actual = writer.repeatable(index).code;
  writer.line(
    `if (${index.exact ?? ''} !== ${signed ? actual : `(${actual} >>> 0)`}) overflowed(${fault}, ${index.exact ?? ''});`,
  );
}

function scaled(index: string, stride: number): string {
  if (stride === 1) return index;
  const shift = Math.log2(stride);
  return Number.isInteger(shift) ? `(${index} << ${shift})` : `imul(${index}, ${stride})`;
}

/** The code of an address in scalars or units, `extra` further on. */
function placeCode({ constant, dynamic }: Pointer, extra: number): string {
  const fixed = constant + extra;
  if (dynamic === null) return String(fixed);
  return fixed === 0 ? dynamic : `${dynamic} + ${fixed}`;
}

/** The code of an address in bytes from the beginning of the variable. */
export function byteAddress(pointer: Pointer, unitBytes: number): string {
  if (pointer.dynamic === null) return String(pointer.constant * unitBytes);
  const shift = Math.log2(unitBytes);
  return `(${placeCode(pointer, 0)}) << ${shift}`;
}

/** What an access is for the log: the node it is made for, and its place in the source. */
export interface AccessNode {
  readonly node: object;
  readonly span: Span;
}

function noteAccess(
  kind: 'read' | 'write' | 'atomic' | 'declare',
  pointer: Pointer,
  type: ValueType,
  at: AccessNode,
  { pass, writer, definition }: FunctionContext,
): void {
  const residence = pass.residenceOf(pointer.root);
  if (residence.kind === 'register' || (residence.kind === 'stack' && !residence.logged)) return;
  const bytes = residence.kind === 'stack' ? 4 * leavesOf(type).length : accessBytes(type);
  const site = pass.siteOf(at.node, { kind, bytes, span: at.span, functionName: definition.name }, pointer.root);
  writer.access(site, byteAddress(pointer, residence.kind === 'stack' ? 4 : residence.unitBytes));
}

/** Notes that the life of a variable begins, where first uses are watched. */
export function noteDeclaration(pointer: Pointer, type: ValueType, at: AccessNode, context: FunctionContext): void {
  noteAccess('declare', pointer, type, at, context);
}

/** The scalars at a pointer. Writes the access. */
export function load(pointer: Pointer, type: ValueType, at: AccessNode, context: FunctionContext): Components {
  const { pass, writer, registers, counterRanges } = context;
  const residence = pass.residenceOf(pointer.root);
  const leaves = leavesOf(type);
  if (residence.kind === 'register') {
    const names = registers.get(pointer.root.id) ?? [];
    const range = counterRanges.get(pointer.root.id) ?? null;
    if (range !== null && range.low === range.high) return leaves.map(({ scalar }) => literal(scalar, range.low));
    const omitted = !pass.isRelevant(pointer.root);
    return leaves.map(({ scalar }, index) => {
      const { value, tag, exact } = names[pointer.constant + index]!;
      // The tag is a variable, too: whoever keeps this one has to take it now.
      if (omitted) return { ...tagOnly(scalar, tag), stable: false };
      return { ...variable(value), tag, exact: range === null ? exact : null, range };
    });
  }
  noteAccess('read', pointer, type, at, context);
  const omitted = !pass.isRelevant(pointer.root);
  return leaves.map((leaf, index) => {
    const component = omitted
      ? tagOnly(leaf.scalar, '0')
      : named(writer.temporary(loadCode(pointer, residence, leaf, index)));
    return taggedLoad(component, pointer, residence, leaf, index, context);
  });
}

function taggedLoad(
  component: Component,
  pointer: Pointer,
  residence: Exclude<Residence, { kind: 'register' }>,
  leaf: Leaf,
  index: number,
  { pass, writer }: FunctionContext,
): Component {
  if (!pass.variant.tags || !carriesTag(leaf.scalar) || !pass.mayCarryTag(pointer.root.id)) return component;
  if (residence.kind === 'stack') {
    return { ...component, tag: writer.temporary(`ST[${stackPlace(pointer, residence.offset + index)}]`) };
  }
  const word = wordPlace(pointer, residence.unitBytes, leaf);
  const inputOnly = pointer.root.space === 'storage' && pointer.root.access === 'read';
  const code = inputOnly
    ? `(base${residence.index} === 0 ? 0 : base${residence.index} + (${word}))`
    : `T${residence.index}[${word}]`;
  return { ...component, tag: writer.temporary(code) };
}

const stackPlace = (pointer: Pointer, extra: number): string => `fp + ${placeCode(pointer, extra)}`;

/** Index of the word (4 bytes) of a leaf. */
function wordPlace(pointer: Pointer, unitBytes: 2 | 4, { byteOffset }: Leaf): string {
  if (unitBytes === 4) return placeCode(pointer, byteOffset / 4);
  const half = placeCode(pointer, byteOffset / 2);
  return pointer.dynamic === null ? String(Number(half) >> 1) : `(${half}) >> 1`;
}

function loadCode(
  pointer: Pointer,
  residence: Exclude<Residence, { kind: 'register' }>,
  leaf: Leaf,
  index: number,
): string {
  const { scalar } = leaf;
  if (residence.kind === 'stack') {
    const at = stackPlace(pointer, residence.offset + index);
    if (scalar === 'bool') return `SI[${at}] !== 0`;
    return `${stackView(scalar)}[${at}]`;
  }
  const view = residence.index;
  if (scalar === 'f16') return `HT[H${view}[${placeCode(pointer, leaf.byteOffset / 2)}]]`;
  const word = wordPlace(pointer, residence.unitBytes, leaf);
  if (scalar === 'bool') return `I${view}[${word}] !== 0`;
  return `${scalar === 'f32' ? 'F' : 'I'}${view}[${word}]`;
}

/** Writes the store of scalars at a pointer, and the access. */
export function store(
  pointer: Pointer,
  type: ValueType,
  value: Components,
  at: AccessNode,
  context: FunctionContext,
): void {
  const { pass, writer } = context;
  const residence = pass.residenceOf(pointer.root);
  if (residence.kind === 'register') {
    assignRegisters(pointer, value, context);
    return;
  }
  noteAccess('write', pointer, type, at, context);
  if (pass.isRelevant(pointer.root)) {
    for (const [index, leaf] of leavesOf(type).entries()) {
      writer.line(storeCode(pointer, residence, leaf, index, value[index]!));
    }
  }
  if (pass.variant.tags && pass.mayCarryTag(pointer.root.id)) storeTags(pointer, residence, type, value, context);
}

function storeCode(
  pointer: Pointer,
  residence: Exclude<Residence, { kind: 'register' }>,
  leaf: Leaf,
  index: number,
  { code }: Component,
): string {
  const { scalar } = leaf;
  const whole = scalar === 'bool' ? `${code} ? 1 : 0` : code;
  if (residence.kind === 'stack') {
    return `${stackView(scalar)}[${stackPlace(pointer, residence.offset + index)}] = ${whole};`;
  }
  const view = residence.index;
  if (scalar === 'f16') return `H${view}[${placeCode(pointer, leaf.byteOffset / 2)}] = f16bits(${code});`;
  return `${scalar === 'f32' ? 'F' : 'I'}${view}[${wordPlace(pointer, residence.unitBytes, leaf)}] = ${whole};`;
}

function storeTags(
  pointer: Pointer,
  residence: Exclude<Residence, { kind: 'register' }>,
  type: ValueType,
  value: Components,
  { writer }: FunctionContext,
): void {
  const leaves = leavesOf(type);
  if (residence.kind === 'memory' && type.kind === 'vector' && type.scalar !== 'f16' && hasLanes(value)) {
    const tags = value.map(({ tag }) => tag).join(', ');
    const { index } = residence;
    writer.line(`storeLanes(T${index}, ${index}, ${wordPlace(pointer, residence.unitBytes, leaves[0]!)}, ${tags});`);
    return;
  }
  for (const [index, leaf] of leaves.entries()) {
    const { tag } = value[index]!;
    if (residence.kind === 'stack') {
      writer.line(`ST[${stackPlace(pointer, residence.offset + index)}] = ${tag};`);
      continue;
    }
    const bytes = leaf.scalar === 'f16' ? 2 : 4;
    const word = wordPlace(pointer, residence.unitBytes, leaf);
    // A word has one tag: the second of two halves, where it has none (a masked weight, say), leaves that of the first.
    const half = leaf.scalar === 'f16' ? placeCode(pointer, leaf.byteOffset / 2) : '0';
    const stays = leaf.scalar === 'f16' ? `if (${tag} !== 0 || (${half} & 1) === 0) ` : '';
    writer.line(`${stays}T${residence.index}[${word}] = ${tag};`);
    if (tag !== '0') writer.line(`if (${tag} !== 0) tagged(${residence.index}, ${tag}, ${bytes});`);
  }
}

/** Assigns to a variable in registers. All values are taken before the first one changes. */
export function assignRegisters(pointer: Pointer, value: Components, context: FunctionContext): void {
  const { pass, writer, registers } = context;
  const omitted = !pass.isRelevant(pointer.root);
  const names = (registers.get(pointer.root.id) ?? []).slice(pointer.constant, pointer.constant + value.length);
  const crosses = value.some(({ code, tag }, index) =>
    names.some(
      (name, other) => other < index && (omitted ? tag !== '0' && tag === name.tag : mentions(code, name.value)),
    ),
  );
  const taken = crosses ? value.map((component) => writer.keep(component)) : value;
  const tags = crosses
    ? taken.map(({ tag }) => (tag === '0' ? '0' : writer.temporary(tag)))
    : taken.map(({ tag }) => tag);
  for (const [index, { value: name, tag, exact }] of names.entries()) {
    const component = taken[index]!;
    if (exact !== null)
      writer.line(`${exact} = ${component.exact ?? `${component.code}${unsignedSuffix(pointer, context, index)}`};`);
    if (!omitted) writer.line(`${name} = ${component.code};`);
    if (tag !== '0') writer.line(`${tag} = ${tags[index]!};`);
  }
}

function mentions(code: string, name: string): boolean {
  return code.includes(name) && new RegExp(`\\b${name}\\b`).test(code);
}

function unsignedSuffix(pointer: Pointer, { pass }: FunctionContext, index: number): string {
  const scalar = scalarAt(pointer.root, pointer.constant + index);
  return scalar === 'u32' && pass.variant.faults ? ' >>> 0' : '';
}

function scalarAt({ type }: Variable, index: number): LeafScalar {
  return leavesOf(type)[index]?.scalar ?? 'u32';
}

/** The number of elements of the runtime-sized array at a pointer, which the plan knows. */
export function arrayLength(expression: Expression, context: FunctionContext): Components {
  const pointer = pointerOf(expression, context);
  const target = expression.type.kind === 'pointer' ? expression.type.target : null;
  if (target === null || !isRuntimeSized(target))
    return [literal('u32', target === null ? 0 : elementsOf(target).count)];
  return [literal('u32', countAt(target, pointer, context.pass.residenceOf(pointer.root), context))];
}

/** The word of an atomic variable. */
export interface AtomicPlace {
  /** The element of a typed array, for both sides of an assignment. */
  readonly code: string;
  readonly signed: boolean;
}

/** Notes an atomic access and says where its word lies. */
export function noteAtomic(pointer: Pointer, at: AccessNode, context: FunctionContext): AtomicPlace {
  const residence = context.pass.residenceOf(pointer.root);
  const type: ValueType = { kind: 'atomic', scalar: 'u32' };
  noteAccess('atomic', pointer, type, at, context);
  const view = residence.kind === 'memory' ? residence.index : 0;
  const unitBytes = residence.kind === 'memory' ? residence.unitBytes : 4;
  const word = wordPlace(pointer, unitBytes, { scalar: 'u32', byteOffset: 0 });
  return { code: `I${view}[${word}]`, signed: atomicScalar(at.node) === 'i32' };
}

function atomicScalar(node: object): Scalar {
  const { pointer } = node as Extract<Expression, { kind: 'atomic' }>;
  const target = pointer.type.kind === 'pointer' ? pointer.type.target : null;
  return target?.kind === 'atomic' ? target.scalar : 'u32';
}
