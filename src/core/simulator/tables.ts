import type { Plan } from '../kernel/model.js';
import { layoutOf } from '../wgsl/layout.js';
import type { Program, Variable } from '../wgsl/program.js';
import type { WgslType } from '../wgsl/types.js';
import type { CompiledMemory } from './compiled.js';
import { Unsupported, type FaultPlace, type PassContext, type RecordPlace, type SyncPoint } from './emit-context.js';
import type { Site } from './trace.js';
import { synchronizingFunctions } from './walk.js';

/** What the texts of one pass number alike: sites, blocks, memories, and places of faults, waits and records. */
export interface Tables {
  readonly memories: readonly CompiledMemory[];
  readonly memoryOf: (
    variable: Variable,
  ) => { readonly index: number; readonly unitBytes: 2 | 4; readonly bytes: number } | null;
  readonly sites: readonly Site[];
  readonly siteOf: PassContext['siteOf'];
  readonly blocks: readonly (readonly number[])[];
  readonly addBlock: PassContext['addBlock'];
  readonly faults: readonly FaultPlace[];
  readonly addFault: PassContext['addFault'];
  readonly syncs: readonly SyncPoint[];
  readonly addSync: PassContext['addSync'];
  readonly records: readonly RecordPlace[];
  readonly addRecord: PassContext['addRecord'];
  /** Ids of the functions that wait for other invocations. */
  readonly synchronizing: ReadonlySet<number>;
  /** Words of the largest stack that any text needs; `useStack` says what one needs. */
  readonly stackWords: () => number;
  readonly useStack: (words: number) => void;
}

/** Most places of memory accesses in one pass: their numbers are 16 bits in the log. */
const mostSites = 65_535;

/** Empty tables for a pass. */
export function createTables(program: Program, plan: Plan): Tables {
  const memories = memoriesOf(program, plan);
  const indices = new Map(inMemory(program).map(({ id }, index) => [id, index]));
  const sites: Site[] = [];
  const siteNumbers = new Map<object, Map<string, number>>();
  const blocks: (readonly number[])[] = [];
  const faults: FaultPlace[] = [];
  const syncs: SyncPoint[] = [];
  const records: RecordPlace[] = [];
  let words = 0;
  return {
    memories,
    memoryOf: (variable) => {
      const index = indices.get(variable.id);
      if (index === undefined) return null;
      return { index, unitBytes: holdsHalf(variable.type) ? 2 : 4, bytes: memories[index]!.bytes };
    },
    sites,
    siteOf: (node, site, variable) => {
      const own = siteNumbers.get(node) ?? new Map<string, number>();
      siteNumbers.set(node, own);
      const key = `${site.kind} ${variable.id}`;
      const known = own.get(key);
      if (known !== undefined) return known;
      if (sites.length > mostSites) {
        throw new Unsupported('This entry point accesses memory in more than 65536 places.', site.span, null);
      }
      const index = indices.get(variable.id);
      const buffer = index === undefined ? null : memories[index]!.buffer;
      const number =
        sites.push({ ...site, space: variable.space, variable: variable.name, variableId: variable.id, buffer }) - 1;
      own.set(key, number);
      return number;
    },
    blocks,
    addBlock: (own) => blocks.push(own) - 1,
    faults,
    addFault: (place) => faults.push(place) - 1,
    syncs,
    addSync: (point) => syncs.push(point) - 1,
    records,
    addRecord: (place) => {
      const known = records.findIndex(({ name, span }) => name === place.name && span.start === place.span.start);
      return known >= 0 ? known : records.push(place) - 1;
    },
    synchronizing: synchronizingFunctions(program.functions),
    stackWords: () => words,
    useStack: (count) => {
      words = Math.max(words, count);
    },
  };
}

/** The module-scope variables of a program that lie in memory, as a plan has them. */
export function memoriesOf(program: Program, plan: Plan): readonly CompiledMemory[] {
  return inMemory(program).map((variable) => memoryFor(variable, plan));
}

function inMemory({ variables }: Program): readonly Variable[] {
  return variables.filter(({ space }) => space !== 'private' && space !== 'function');
}

function memoryFor(variable: Variable, plan: Plan): CompiledMemory {
  const { name, space, type } = variable;
  if (space === 'workgroup') {
    const bytes = layoutOf(type)?.sizeBytes ?? 0;
    return { variable: name, space, buffer: null, bytes: Math.ceil(bytes / 4) * 4 };
  }
  const buffer = plan.buffers.findIndex((planned) => planned.variable === name);
  const planned = plan.buffers[buffer];
  if (!planned) throw new Unsupported(`"${name}" has no buffer in this plan.`, variable.nameSpan, null);
  return { variable: name, space, buffer, bytes: planned.byteLength };
}

function holdsHalf(type: Variable['type']): boolean {
  const within = (inner: WgslType): boolean => {
    switch (inner.kind) {
      case 'scalar':
      case 'vector':
      case 'matrix':
        return inner.scalar === 'f16';
      case 'array':
        return within(inner.element);
      case 'struct':
        return inner.members.some((member) => within(member.type));
      case 'atomic':
      case 'subgroup-matrix':
      case 'unknown':
        return false;
    }
  };
  return within(type);
}
