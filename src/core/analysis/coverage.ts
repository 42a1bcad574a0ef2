/** What became of the pairs of one cell of the map, worst first where a cell holds several. */
export const cellStates = {
  /** Nothing to do, nothing done. */
  outside: 0,
  once: 1,
  /** Reached once, through a state. */
  throughState: 2,
  /** Computed although the mask shuts it out. */
  wasted: 3,
  doubled: 4,
  missed: 5,
  /** Belongs to a workgroup that was not traced. */
  untraced: 6,
} as const;

/** Every (query, key) pair of the mask: reached once, twice, never, or computed for nothing. */
export interface Coverage {
  readonly queries: number;
  readonly keys: number;
  /** Planes (batch × heads) with at least one traced workgroup, by linear index, and the map of each. */
  readonly planes: readonly {
    readonly plane: number;
    readonly batch: number;
    readonly head: number;
    /** Cells of `cellQueries` × `cellKeys` pairs, row-major, `cellStates`, base64. */
    readonly cells: string;
  }[];
  readonly cellQueries: number;
  readonly cellKeys: number;
  /** Pairs over the traced queries of all traced planes. `required`: the mask asks for them. */
  readonly totals: {
    readonly required: number;
    readonly once: number;
    readonly throughState: number;
    readonly doubled: number;
    readonly missed: number;
    readonly wasted: number;
  };
  readonly firstMissed: { readonly plane: number; readonly query: number; readonly key: number } | null;
  readonly firstDoubled: { readonly plane: number; readonly query: number; readonly key: number } | null;
  /** Work of each logged workgroup of each pass, for the balance; `pairs` are the scores it forms. */
  readonly balance: readonly {
    readonly pass: number;
    readonly workgroup: readonly [number, number, number];
    readonly accesses: number;
    readonly pairs: number;
  }[];
  readonly complete: boolean;
  readonly sentence: string;
}
