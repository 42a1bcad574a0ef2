import type { PlannedPass } from '../kernel/model.js';
import type { FunctionDefinition, Program, Value } from '../wgsl/program.js';
import { named, tagOnly, type Components } from './component.js';
import { passageOf, writeReturn } from './emit-calls.js';
import type { Exits, FunctionContext, FunctionHandle, PassContext, Pointer, Variant } from './emit-context.js';
import { inputComponents, isBoundToSizes } from './emit-inputs.js';
import { initializePrivate } from './emit-statements.js';
import { defineValue, writeStatements } from './emit-statements.js';
import type { Flow } from './flow.js';
import { chooseResidences } from './residence.js';
import type { Tables } from './tables.js';
import { logMark, Writer } from './writer.js';

/** Names of the environment that every text takes apart; `createEnvironment` makes them. */
const names =
  'S, B, LS, LA, R, RM, RT, RE, X, XT, XM, SF, SI, SM, ST, HT, SG, Nx, Ny, Nz, memory, emptyLog, nextPhase, endless, outside, ' +
  'overflowed, happened, recorded, join, multiply, accumulate, joinLanes, multiplyLanes, accumulateLanes, dotTag, storeLanes, tagged, TL, ' +
  'f16, f16bits, f32bits, bitsf32, toI32, toU32, roundEven, exp2, ldexp, smoothstep, frexpFraction, frexpExponent, countOneBits, reverseBits, extractBits, insertBits';

/** The JavaScript of one pass. */
export interface PassText {
  /** A function of the environment that returns the entry function. */
  readonly code: string;
  /** Whether it is right for fewer workgroups and shorter buffers, too. */
  readonly fitsSmaller: boolean;
}

/** Makes the JavaScript of one pass. */
export function emitPass(
  program: Program,
  planned: PlannedPass,
  flow: Flow,
  variant: Variant,
  tables: Tables,
): PassText {
  const waits = variant.omits !== 'addresses' || flow.needsWaits;
  const relevance = variant.omits === 'addresses' ? flow.counting : variant.tags ? flow.following : flow.logging;
  const residences = chooseResidences(program, variant, tables);
  const texts: string[] = [];
  const handles = new Map<string, FunctionHandle>();
  let fitsSmaller = true;
  const pass: PassContext = {
    program,
    variant,
    workgroups: planned.workgroups,
    bindToSizes: () => {
      fitsSmaller = false;
    },
    ...residences,
    siteOf: tables.siteOf,
    addBlock: tables.addBlock,
    addFault: tables.addFault,
    addSync: tables.addSync,
    addRecord: tables.addRecord,
    waits,
    holdsMatrices: variant.omits !== 'addresses' || flow.needsMatrices,
    isSynchronizing: (id) => waits && tables.synchronizing.has(id),
    isRelevant: ({ id }) => variant.omits === 'nothing' || relevance.of(id),
    isRelevantResult: ({ id }) => variant.omits === 'nothing' || relevance.ofResult(id),
    mayCarryTag: (id) => variant.tags && flow.mayCarryTag(id),
    mayReturnTag: (id) => variant.tags && flow.mayReturnTag(id),
    watchesExact: (id) => variant.faults && flow.mayReachIndex(id),
    watchesExactResult: (id) => variant.faults && flow.mayReachIndexResult(id),
    functionFor: (definition, pointers) => {
      const key = [definition.id, ...pointers.map(pointerKey)].join(' ');
      const known = handles.get(key);
      if (known) return known;
      const handle = { name: `${definition.name}_${handles.size}`, generator: pass.isSynchronizing(definition.id) };
      handles.set(key, handle);
      texts.push(functionText(definition, pointers, handle, pass));
      return handle;
    },
    addFunction: (write) => {
      // Names of the kernel's own functions end with an underscore and a number.
      const name = `apart${texts.length}`;
      texts.push(write(name));
      return name;
    },
  };
  const entry = entryText(pass);
  tables.useStack(residences.stackWords());
  const views = tables.memories.map(
    (_, index) =>
      `const { F: F${index}, I: I${index}, H: H${index}, T: T${index}, base: base${index} } = memory[${index}];`,
  );
  const code = [
    '(function (environment) {',
    "'use strict';",
    `const { ${names} } = environment;`,
    `const fround = Math.fround, imul = Math.imul, LOG_MARK = ${logMark};`,
    ...views,
    ...texts,
    entry,
    'return main;',
    '})',
  ].join('\n');
  return { code, fitsSmaller };
}

function pointerKey(pointer: Pointer | null): string {
  return pointer === null ? '-' : `${pointer.root.id}+${pointer.constant}${pointer.dynamic === null ? '' : '+'}`;
}

function contextFor(definition: FunctionDefinition, pass: PassContext, loopDepth: number): FunctionContext {
  const writer = new Writer(pass.addBlock, pass.variant.logs);
  const exits: Exits = {
    breaks: '',
    continues: '',
    returns: (result) => writeReturn(definition, result, context),
  };
  const context: FunctionContext = {
    pass,
    writer,
    definition,
    waits: pass.isSynchronizing(definition.id),
    values: new Map<number, Components>(),
    pointers: new Map<number, Pointer>(),
    registers: new Map(),
    counterRanges: new Map(),
    loopDepth,
    exits,
  };
  return context;
}

function functionText(
  definition: FunctionDefinition,
  pointers: readonly (Pointer | null)[],
  { name, generator }: FunctionHandle,
  pass: PassContext,
): string {
  const context = contextFor(definition, pass, Infinity);
  const { writer } = context;
  const parameters = ['fp'];
  for (const [index, parameter] of definition.parameters.entries()) {
    const pointer = pointers[index];
    if (pointer) {
      const dynamic = pointer.dynamic === null ? null : writer.fresh('p');
      if (dynamic !== null) parameters.push(dynamic);
      context.pointers.set(parameter.id, { ...pointer, dynamic });
      continue;
    }
    defineValue(parameter, parameterComponents(parameter, parameters, context), context);
  }
  writeStatements(definition.body, context);
  writer.endRegion();
  return `function${generator ? '*' : ''} ${name}(${parameters.join(', ')}) {\n${writer.text}\n}`;
}

function parameterComponents(parameter: Value, names_: string[], context: FunctionContext): Components {
  return passageOf(parameter, context).map(({ scalar, value, tag, exact }) => {
    const own = (prefix: string): string => {
      const name = context.writer.fresh(prefix);
      names_.push(name);
      return name;
    };
    const holder = value ? named(own('p')) : tagOnly(scalar, '0');
    return { ...holder, tag: tag ? own('g') : '0', exact: exact ? own('e') : null };
  });
}

function entryText(pass: PassContext): string {
  const { entry } = pass.program;
  const context = contextFor(entry.function, pass, 0);
  const { writer } = context;
  for (const parameter of entry.function.parameters) {
    const inputs = entry.inputs.filter((input) => input.parameter.id === parameter.id);
    const ordered = inputs.toSorted((a, b) => (a.member ?? 0) - (b.member ?? 0));
    if (ordered.some(({ builtin }) => isBoundToSizes(builtin))) pass.bindToSizes();
    const parts = ordered.flatMap(({ builtin }) =>
      inputComponents(builtin, entry.workgroupSize, pass.workgroups, pass.variant.omits === 'addresses'),
    );
    defineValue(parameter, parts, context);
  }
  initializePrivate(context);
  writeStatements(entry.function.body, context);
  writer.endRegion();
  const star = pass.isSynchronizing(entry.function.id) ? '*' : '';
  return `function${star} main(fp, inv, lx, ly, lz, wx, wy, wz) {\n${writer.text}\n}`;
}
