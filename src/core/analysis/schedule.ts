import type { Span } from '../diagnostic.js';

/** Rows and columns [from, to) of a plane. */
export interface Rect {
  readonly row0: number;
  readonly row1: number;
  readonly column0: number;
  readonly column1: number;
}

/** What a tensor is in the products of queries, keys and values. */
export type TensorPart = 'query' | 'key' | 'value' | 'output';

/** A tensor as the picture draws it: planes of rows × columns, one for each index of its plane dimensions. */
export interface ScheduleTensor {
  readonly name: string;
  readonly role: 'input' | 'output' | 'scratch';
  /** What it is in the products, or what it is the gradient of: keys and values for a latent, nothing for a slope. */
  readonly parts: readonly TensorPart[];
  /** The dimensions that count planes, by name and size. */
  readonly planeDims: readonly { readonly name: string; readonly size: number }[];
  readonly rows: number;
  readonly columns: number;
  /** Rows of a page, of a cache in pages whose rows are the slots of all of them; else null. */
  readonly pageRows: number | null;
}

/** Bytes of one tensor that one step moves, and where they lie. */
export interface TileAccess {
  readonly tensor: string;
  readonly mode: 'read' | 'write';
  /** Linear index over the plane dimensions. */
  readonly plane: number;
  readonly rect: Rect;
  readonly bytes: number;
  /** Distinct elements over elements of `rect`: 1 where the tile is whole. */
  readonly density: number;
  readonly sites: readonly number[];
}

/** What a variable in workgroup memory holds at the end of a step, as far as its values could be followed. */
export interface TileHeld {
  readonly variable: string;
  /** The tensor the values come from, or what they are: scores of pairs, a state. */
  readonly tensor: string;
  readonly plane: number;
  readonly rect: Rect | null;
  readonly bytes: number;
}

/** Pairs of the score matrix that a step forms: left product (`score`), or through a state (`state`). */
export interface ScoreTile {
  /** `score`: q·k of each pair is computed. `state`: q meets the sum over these keys at once. */
  readonly by: 'score' | 'state';
  readonly plane: number;
  /** Queries [row0, row1), keys [column0, column1). */
  readonly rect: Rect;
  /** Pairs in it that the mask shuts out: work for nothing. */
  readonly masked: number;
}

/** What a step does to a running state (k ᵀ v summed over keys). */
export interface StateAccess {
  readonly mode: 'update' | 'read';
  readonly plane: number;
  /** Keys whose products are in the state. */
  readonly keys: { readonly from: number; readonly to: number };
}

/** A part of a workgroup's work between two boundaries (barriers, rounds of an outer loop). */
export interface ScheduleStep {
  readonly epoch: number;
  readonly phase: number;
  readonly kind: 'load' | 'compute' | 'store' | 'mixed';
  /** True where a barrier ends the step. */
  readonly barrier: boolean;
  readonly accesses: readonly TileAccess[];
  readonly held: readonly TileHeld[];
  readonly scores: readonly ScoreTile[];
  readonly states: readonly StateAccess[];
  /** Accesses to device and workgroup memory, for the width of its block on the timeline. */
  readonly deviceAccesses: number;
  readonly workgroupAccesses: number;
  /** The line that does most of it. */
  readonly span: Span;
  readonly line: number;
}

/** The keys [from, to) that one of several workgroups meets the queries of a plane with, which they share. */
export interface KeySplit {
  readonly plane: number;
  readonly from: number;
  readonly to: number;
}

/** The steps of one workgroup, in order. */
export interface WorkgroupSchedule {
  readonly pass: number;
  readonly workgroup: readonly [number, number, number];
  readonly steps: readonly ScheduleStep[];
  /** Its part of the keys, where workgroups divide those of a query between them; else null. */
  readonly split: KeySplit | null;
  /** True where neighbouring steps were put together because there were too many of them. */
  readonly merged: boolean;
}

/** A place in the source that the picture refers to, by index. */
export interface ScheduleSite {
  readonly pass: number;
  readonly span: Span;
  readonly line: number;
  readonly variable: string;
  readonly space: 'storage' | 'uniform' | 'workgroup';
  readonly kind: 'read' | 'write' | 'atomic';
}

/** Which tile is where at each step. */
export interface Schedule {
  readonly tensors: readonly ScheduleTensor[];
  /** The score matrix; null for a mechanism without queries and keys. */
  readonly score: { readonly rows: number; readonly columns: number; readonly planes: number } | null;
  /** The pages of each sequence (batch index) in the order of its tokens; null where keys lie in none. */
  readonly pages: readonly (readonly number[])[] | null;
  readonly sites: readonly ScheduleSite[];
  readonly workgroups: readonly WorkgroupSchedule[];
  /** What the picture shows, in one or two sentences: tiles, steps, intra- and inter-block work. */
  readonly sentence: string;
}
