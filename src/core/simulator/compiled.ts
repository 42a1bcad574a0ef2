import type { AddressSpace } from '../wgsl/program.js';
import type { FaultPlace, RecordPlace, SyncPoint } from './emit-context.js';
import type { Recording, Site } from './trace.js';

/** A module-scope variable in memory: a buffer of the plan, or workgroup memory. */
export interface CompiledMemory {
  readonly variable: string;
  readonly space: AddressSpace;
  /** Index among the plan's buffers, or null for workgroup memory. */
  readonly buffer: number | null;
  /** Bytes of workgroup memory; of a buffer its length. */
  readonly bytes: number;
}

/** One pass, made into JavaScript. */
export interface CompiledPass {
  readonly entry: string;
  readonly workgroups: readonly [number, number, number];
  readonly workgroupSize: readonly [number, number, number];
  readonly workgroupBytes: number;
  /** 4-byte words of stack that each invocation has. */
  readonly stackWords: number;
  readonly memories: readonly CompiledMemory[];
  readonly sites: readonly Site[];
  /** Sites of the accesses of each block of code. */
  readonly blocks: readonly (readonly number[])[];
  readonly faults: readonly FaultPlace[];
  readonly syncs: readonly SyncPoint[];
  readonly records: readonly RecordPlace[];
  /** By text, whether its invocations wait for each other anywhere: then the entry function is a generator. */
  readonly synchronizing: { readonly full: boolean; readonly counted: boolean };
  /** Indices into `CompiledSimulation.codes`; no full text where nothing is recorded. */
  readonly texts: { readonly full: number | null; readonly counted: number };
}

/** A plan made into JavaScript, in data alone, so that it can be sent to a worker. */
export interface CompiledSimulation {
  /** JavaScript expressions, each of which evaluates to a function. */
  readonly codes: readonly string[];
  readonly passes: readonly CompiledPass[];
  readonly buffers: readonly { readonly variable: string; readonly byteLength: number }[];
  /** The variables whose buffers have to hold what the kernel is to find there; those of others may hold anything. */
  readonly contents: readonly string[];
  readonly recording: Recording;
}
