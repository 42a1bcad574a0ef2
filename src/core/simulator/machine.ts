import type { CompiledPass } from './compiled.js';
import { exchangeWidth } from './subgroups.js';
import { FaultBook, type Position } from './fault-book.js';
import type { HeldMatrix } from './held-matrix.js';
import { AccessLog } from './log.js';
import * as numerics from './numerics.js';
import type { Provenance, SimulationInput } from './trace.js';
import { tagEnvironment, tagTeller, type TagTeller } from './tags.js';
import { ValueBook } from './value-book.js';

/** Rounds of loops without a known end that one workgroup may make before it is given up as endless. */
export const fuelPerWorkgroup = 2 ** 28;

/**
 * Rounds that go on after that, to see which loops they belong to: of loops inside each other the outermost that still
 * goes round is the one without an end.
 */
const roundsToBlame = 2 ** 16;

/** Most scalars that a function may return. */
const resultWidth = 4096;

/** Thrown by the generated code in a loop that goes on for ever. */
export class Endless extends Error {}

/**
 * Views on one module-scope variable. In workgroup memory, where every word is of one scalar type for good, f32s lie apart
 * from the other words, as doubles: an invocation computes with doubles, and to convert each that it reads would take as
 * long as what it does with it.
 */
export interface MemoryViews {
  readonly F: Float32Array | Float64Array;
  readonly I: Int32Array;
  readonly H: Uint16Array;
  /** Tags, a word each; empty where none are followed. */
  readonly T: Int32Array;
  readonly base: number;
}

/** The generated entry function: of a pass without waits it runs an invocation to its end. */
export type Entry = (
  fp: number,
  inv: number,
  lx: number,
  ly: number,
  lz: number,
  wx: number,
  wy: number,
  wz: number,
) => Generator<number, void> | undefined;

/** All state of one pass that the generated code and the scheduler share. */
export interface Machine {
  readonly pass: CompiledPass;
  readonly invocations: number;
  readonly subgroupSize: number;
  readonly state: Int32Array;
  readonly blockCounts: Int32Array;
  readonly exchange: Float64Array;
  readonly exchangeTags: Int32Array;
  readonly exchangeMatrices: (HeldMatrix | null)[];
  readonly memories: readonly MemoryViews[];
  readonly log: AccessLog;
  readonly faults: FaultBook;
  readonly values: ValueBook;
  readonly position: Position;
  readonly provenance: Provenance | null;
  readonly tagged: TagTeller;
  /** What the code of a text is called with. */
  readonly environment: object;
  /** Goes on to another invocation, epoch or phase. */
  readonly moveTo: (invocation: number, epoch: number, phase: number) => void;
  /** Whether the text that runs logs accesses, follows tags and waits. */
  mode: { readonly logs: boolean; readonly tags: boolean; readonly synchronizing: boolean };
}

function viewsOf(buffer: ArrayBuffer, tags: Int32Array, base: number): MemoryViews {
  const { byteLength } = buffer;
  return {
    F: new Float32Array(buffer, 0, byteLength >> 2),
    I: new Int32Array(buffer, 0, byteLength >> 2),
    H: new Uint16Array(buffer, 0, byteLength >> 1),
    T: tags,
    base,
  };
}

function workgroupViews(bytes: number, hasTags: boolean): MemoryViews {
  const words = new ArrayBuffer(bytes);
  return { ...viewsOf(words, new Int32Array(hasTags ? bytes >> 2 : 0), 0), F: new Float64Array(bytes >> 2) };
}

/** Tags of the words of the plan's buffers; they outlive a pass. */
export function bufferTags({ buffers, provenance }: SimulationInput): readonly Int32Array[] {
  return buffers.map(({ byteLength }, index) => {
    if (provenance === null) return new Int32Array(0);
    const base = provenance.base[index] ?? 0;
    const tags = new Int32Array((byteLength + 3) >> 2);
    if (base !== 0) for (let word = 0; word < tags.length; word++) tags[word] = base + word;
    return tags;
  });
}

/** A machine for one pass. */
export function createMachine(
  pass: CompiledPass,
  passIndex: number,
  input: SimulationInput,
  tags: readonly Int32Array[],
): Machine {
  const [x, y, z] = pass.workgroupSize;
  const invocations = x * y * z;
  const { provenance, subgroupSize } = input;
  const state = new Int32Array(new ArrayBuffer(64));
  const position: Position = { workgroup: [0, 0, 0], linear: 0, invocation: 0, epoch: 0, phase: 0 };
  const log = new AccessLog(state);
  const memories = pass.memories.map(({ buffer, bytes }) => {
    if (buffer !== null) return viewsOf(input.buffers[buffer]!, tags[buffer]!, provenance?.base[buffer] ?? 0);
    return workgroupViews(bytes, provenance !== null);
  });
  const faults = new FaultBook(pass.faults, position);
  const values = new ValueBook(pass.records);
  const machine: Machine = {
    pass,
    invocations,
    subgroupSize,
    state,
    blockCounts: new Int32Array(Math.max(16, pass.blocks.length)),
    exchange: new Float64Array(invocations * exchangeWidth),
    exchangeTags: new Int32Array(invocations * exchangeWidth),
    exchangeMatrices: new Array<HeldMatrix | null>(invocations * exchangeWidth).fill(null),
    memories,
    log,
    faults,
    values,
    position,
    provenance,
    mode: { logs: false, tags: false, synchronizing: false },
    environment: {},
    tagged: tagTeller(pass, provenance),
    moveTo: (invocation, epoch, phase) => {
      position.invocation = invocation;
      position.epoch = epoch;
      position.phase = phase;
      if (machine.mode.logs) log.begin(invocation, epoch, phase);
      if (machine.mode.tags) provenance?.move(passIndex, position.linear, invocation, epoch, phase);
    },
  };
  Object.assign(machine.environment, environmentOf(machine));
  return machine;
}

/** The fault place with the longest span. */
function widest({ faults }: CompiledPass, places: ReadonlySet<number>): number {
  const length = (place: number): number => faults[place]!.span.end - faults[place]!.span.start;
  return [...places].reduce((best, place) => (length(place) > length(best) ? place : best));
}

/** Everything that the generated code takes from outside, by the names it uses. */
function environmentOf(machine: Machine): object {
  const { pass, state, memories, log, faults, values, position, provenance } = machine;
  const stack = new ArrayBuffer(Math.max(64, 4 * pass.stackWords * machine.invocations));
  const turning = new Set<number>();
  const hasMatrices = pass.syncs.some(({ matrix }) => matrix !== null);
  return {
    ...numericEnvironment,
    S: state,
    B: machine.blockCounts,
    LS: log.site,
    LA: log.address,
    R: new Float64Array(resultWidth),
    RM: new Array<HeldMatrix | null>(hasMatrices ? resultWidth : 0).fill(null),
    RT: new Int32Array(resultWidth),
    RE: new Float64Array(resultWidth),
    X: machine.exchange,
    XT: machine.exchangeTags,
    XM: machine.exchangeMatrices,
    SF: new Float32Array(stack),
    SI: new Int32Array(stack),
    SM: new Array<HeldMatrix | null>(hasMatrices ? pass.stackWords * machine.invocations : 0).fill(null),
    ST: new Int32Array(provenance ? stack.byteLength >> 2 : 0),
    SG: machine.subgroupSize,
    Nx: pass.workgroups[0],
    Ny: pass.workgroups[1],
    Nz: pass.workgroups[2],
    memory: memories,
    emptyLog: log.empty,
    nextPhase: () => machine.moveTo(position.invocation, position.epoch, position.phase + 1),
    endless: (place: number) => {
      turning.add(place);
      if (machine.state[1]! > -roundsToBlame) return;
      faults.note(widest(pass, turning), null);
      throw new Endless();
    },
    outside: (place: number, index: number) => {
      const { signed, limit } = pass.faults[place]!;
      faults.note(place, signed ? index : index >>> 0);
      return (limit ?? 1) - 1;
    },
    overflowed: (place: number, exact: number) => faults.note(place, exact),
    happened: (place: number) => faults.note(place, null),
    recorded: (place: number, parts: number[]) => values.add(place, parts),
    ...(provenance && tagEnvironment(provenance, machine.tagged)),
  };
}

const numericEnvironment = { ...numerics, HT: numerics.halfTable };
