import type { Span } from '../diagnostic.js';
import type { FunctionDefinition, Program, SubgroupMatrixFunction, ValueType, Variable } from '../wgsl/program.js';
import type { SubgroupMatrixType } from '../wgsl/types.js';
import type { Components, Range } from './component.js';
import type { Fault, Site } from './trace.js';
import type { Writer } from './writer.js';

/** What one text of a pass does beside running. */
export interface Variant {
  /** Writes down each access. */
  readonly logs: boolean;
  /** Follows where values come from. */
  readonly tags: boolean;
  /** Watches index arithmetic for overflow, and variables without initializer. */
  readonly faults: boolean;
  /** Records the values of the watched invocation. */
  readonly values: boolean;
  /**
   * What it leaves out: nothing; values that no address, branch or tag depends on; or addresses and tags as well, so that
   * only the counts are right.
   */
  readonly omits: 'nothing' | 'values' | 'addresses';
}

/** Where a variable lives in the generated code. */
export type Residence =
  | { readonly kind: 'register' }
  /** In the stack of its invocation, one word a scalar. `logged`: it is a variable whose first use is watched. */
  | { readonly kind: 'stack'; readonly offset: number; readonly logged: boolean }
  /** In memory laid out as WGSL says. `unitBytes`: 4, or 2 where it holds f16. */
  | { readonly kind: 'memory'; readonly index: number; readonly unitBytes: 2 | 4; readonly bytes: number };

/**
 * A place whose variable is known: `constant` and the value of `dynamic` count scalars for registers and the stack and
 * units of the variable for memory.
 */
export interface Pointer {
  readonly root: Variable;
  readonly constant: number;
  /** An int32 expression that may be repeated, or null. */
  readonly dynamic: string | null;
}

/** A place in the code where a fault may happen. */
export interface FaultPlace {
  readonly kind: Fault['kind'];
  readonly span: Span;
  readonly variable: string | null;
  readonly limit: number | null;
  /** Whether the index is signed. */
  readonly signed: boolean;
}

/** A place where an invocation waits for others. */
export interface SyncPoint {
  readonly kind: 'barrier' | 'subgroup';
  readonly span: Span;
  /** The subgroup operation, or empty. */
  readonly name: string;
  /** Scalars that each invocation brings and takes; bytes of `ValueType` are of no interest here. */
  readonly width: number;
  readonly scalar: 'f32' | 'f16' | 'i32' | 'u32' | 'bool';
  /** What the subgroup does with matrices here, or null for every other operation. */
  readonly matrix: MatrixOperation | null;
}

/** An operation on subgroup matrices: a subgroup does it as one. */
export interface MatrixOperation {
  readonly name: SubgroupMatrixFunction | 'subgroupMatrixStore' | 'fill';
  /** Of the result; of a store, of what is stored. */
  readonly type: SubgroupMatrixType;
  /** The columns of the left operand of a product. */
  readonly inner: number;
  /** For loads and stores. */
  readonly access: MatrixAccess | null;
  /** Fault of operands that differ within the subgroup. */
  readonly differing: number;
}

/** The memory of a load or store of a subgroup matrix. */
export interface MatrixAccess {
  /** Index among the pass's memories. */
  readonly memory: number;
  readonly site: number;
  /** The block that its accesses are counted in. */
  readonly block: number;
  /** Elements of the array, and the bytes from one to the next. */
  readonly elements: number;
  readonly elementBytes: number;
  /** What offset and stride count in. */
  readonly unitBytes: number;
  readonly columnMajor: boolean;
  /** Faults of a matrix that goes past the end of the array, and of a stride that is less than a row (or column). */
  readonly outside: number;
  readonly shortStride: number;
}

/** A place whose values are recorded for the watched invocation. */
export interface RecordPlace {
  readonly name: string;
  readonly span: Span;
  readonly booleans: boolean;
}

/** A generated function. */
export interface FunctionHandle {
  readonly name: string;
  /** It waits for others: call it with `yield*`. */
  readonly generator: boolean;
}

/** What all functions of one pass share. The tables are shared by its variants too. */
export interface PassContext {
  readonly program: Program;
  readonly variant: Variant;
  /** The most workgroups that there are along each axis. */
  readonly workgroups: readonly [number, number, number];
  /** Notes that the text is right for this many workgroups and these lengths of buffers only, not for fewer or shorter. */
  readonly bindToSizes: () => void;
  readonly residenceOf: (variable: Variable) => Residence;
  /** Offset in the stack of a value that is indexed dynamically, or null where it stays in registers. */
  readonly stackOffsetOf: (valueId: number) => number | null;
  /** A part of the stack for a value that has no name. */
  readonly allocateStack: (scalars: number) => number;
  readonly siteOf: (
    node: object,
    site: Pick<Site, 'kind' | 'bytes' | 'span' | 'functionName'>,
    variable: Variable,
  ) => number;
  readonly addBlock: (sites: readonly number[]) => number;
  readonly addFault: (place: FaultPlace) => number;
  readonly addSync: (point: SyncPoint) => number;
  readonly addRecord: (place: RecordPlace) => number;
  /** False for all functions of a text whose invocations run one after the other. */
  readonly isSynchronizing: (functionId: number) => boolean;
  /** Whether waits are written. */
  readonly waits: boolean;
  /** False where nothing that matters depends on what subgroup matrices hold: their accesses are counted, no more. */
  readonly holdsMatrices: boolean;
  /** False for a variable, let or parameter whose value the variant leaves out; it may have a tag all the same. */
  readonly isRelevant: (holder: { readonly id: number }) => boolean;
  readonly isRelevantResult: (definition: FunctionDefinition) => boolean;
  /** Whether values of this id (variable, let, parameter, function) may carry a tag. */
  readonly mayCarryTag: (id: number) => boolean;
  readonly mayReturnTag: (functionId: number) => boolean;
  /** Whether integers of this id may reach an index, so that their overflow matters. */
  readonly watchesExact: (id: number) => boolean;
  readonly watchesExactResult: (functionId: number) => boolean;
  /** Ids of functions whose results carry exact values or tags share the space of function ids. */
  readonly functionFor: (definition: FunctionDefinition, pointers: readonly (Pointer | null)[]) => FunctionHandle;
  /** Adds a function that is given its name. Returns the name. */
  readonly addFunction: (write: (name: string) => string) => string;
}

/** What the statements of one function are written with. */
export interface FunctionContext {
  readonly pass: PassContext;
  readonly writer: Writer;
  readonly definition: FunctionDefinition;
  /** Whether the JavaScript function that is written waits for other invocations. */
  readonly waits: boolean;
  /** Components of lets and parameters by id. */
  readonly values: Map<number, Components>;
  /** Pointers that lets and parameters hold, by id. */
  readonly pointers: Map<number, Pointer>;
  /** Names of the scalars of variables that live in registers, by id. */
  readonly registers: Map<number, readonly RegisterNames[]>;
  /** What the counters of the loops around the current statement are known to lie in, by variable. */
  readonly counterRanges: Map<number, Range>;
  /** Loops of the entry point around the current statement; the two outermost make phases. Infinite elsewhere. */
  readonly loopDepth: number;
  /** Where `break`, `continue` and `return` lead. */
  readonly exits: Exits;
}

/** The names that one scalar of a variable in registers has. */
export interface RegisterNames {
  readonly value: string;
  readonly tag: string;
  readonly exact: string | null;
}

/** Where control leaves to from the current statement. */
export interface Exits {
  /** The JavaScript statement of a WGSL `break` and `continue`. */
  readonly breaks: string;
  readonly continues: string;
  /** Writes a return of these components. */
  readonly returns: (result: Components, type: ValueType) => void;
}

/** Thrown where a program needs what the simulator does not have; caught by `compileSimulation`. */
export class Unsupported extends Error {
  constructor(
    message: string,
    readonly span: Span,
    readonly remedy: string | null,
  ) {
    super(message);
  }
}
