import type { Options } from '../../../src/core/attention/mechanism.js';
import { builtInText } from './planned.js';

/** Bytes of an f32 and of a vec4<f32>. */
const f32 = 4;
const vec4 = 16;
/** Tile sizes as the kernels are written: queries of a workgroup, keys of a step, tokens of a chunk's step. */
const tileM = 64;
const tileN = 32;
/** Invocations of a workgroup of `attend`. */
const attendants = (8 * tileM) / 4;

/** The sizes of a complete shape. */
export interface Sizes {
  readonly batch: number;
  readonly heads: number;
  readonly headsKv: number;
  readonly seqlen: number;
  readonly seqlenK: number;
  readonly headDim: number;
  readonly headDimV: number;
}

/** Requested bytes by variable: [read, written]. */
export type RequestedBytes = Readonly<Record<string, readonly [read: number, written: number]>>;

/** A shape and options to hold a kernel to its formula at. */
export interface TilingCase {
  readonly name: string;
  readonly sizes: Partial<Sizes> & Pick<Sizes, 'heads' | 'seqlen' | 'headDim'>;
  readonly options: Options;
}

/** The sizes of a case, those not given from what they fall back to. */
export function complete({
  batch = 1,
  heads,
  headsKv = heads,
  seqlen,
  seqlenK = seqlen,
  ...sizes
}: TilingCase['sizes']): Sizes {
  return { batch, heads, headsKv, seqlen, seqlenK, headDim: sizes.headDim, headDimV: sizes.headDimV ?? sizes.headDim };
}

/** Tiles of `size` of `length` rows: first row and number of rows. */
function tiles(length: number, size: number): readonly { first: number; rows: number }[] {
  return Array.from({ length: Math.ceil(length / size) }, (_, tile) => {
    const first = tile * size;
    return { first, rows: Math.min(size, length - first) };
  });
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** The window of a case: keys to the left and right of a query's own position, Infinity where unlimited. */
function reach(options: Options): { left: number; right: number } {
  const [left, right] = (options.window ?? [-1, -1]) as readonly [number, number];
  const ahead = options.causal === true ? 0 : right;
  return { left: left < 0 ? Infinity : left, right: ahead < 0 ? Infinity : ahead };
}

/** One walk of a workgroup over keys: its queries, and the rows of K and V that each of its steps loads. */
interface Walk {
  readonly queries: number;
  readonly keysOfStep: readonly number[];
}

/** Steps of `tileN` keys from `begin` up to `end`; a step loads all its rows that exist. */
function walk(queries: number, begin: number, end: number, seqlenK: number): Walk {
  const keysOfStep: number[] = [];
  for (let key = begin; key < end; key += tileN) keysOfStep.push(Math.min(tileN, seqlenK - key));
  return { queries, keysOfStep };
}

/**
 * What the tiled kernels ask of q, k and v for one head. Each step loads the workgroup's rows of Q (again: they share
 * their tile with the weights) and the step's rows of K, once for each 128 columns of the output, and the columns of V
 * that belong to it.
 */
function tiledBytes(walks: readonly Walk[], { headDim, headDimV }: Sizes): { q: number; k: number; v: number } {
  const columnGroups = Math.ceil(headDimV / 128);
  const queryRows = sum(walks.map(({ queries, keysOfStep }) => queries * keysOfStep.length));
  const keyRows = sum(walks.flatMap(({ keysOfStep }) => keysOfStep));
  return {
    q: columnGroups * queryRows * headDim * f32,
    k: columnGroups * keyRows * headDim * f32,
    v: keyRows * headDimV * f32,
  };
}

function softmaxNaive(sizes: Sizes, options: Options): RequestedBytes {
  const { batch, heads, seqlen, seqlenK, headDim, headDimV } = sizes;
  const { left, right } = reach(options);
  const perQuery = Array.from({ length: seqlen }, (_, query) => {
    const position = query + seqlenK - seqlen;
    const keys = Array.from({ length: seqlenK }, (_, key) => key - position);
    return keys.filter((distance) => distance <= right && -distance <= left).length;
  });
  const pairs = sum(perQuery);
  const seeing = perQuery.filter((keys) => keys > 0).length;
  const planes = batch * heads;
  const columns = headDimV / 4;
  // Scores of pairs that see each other are written once, read for the maximum and for the exponential; every weight is
  // written; rows that see a key are read and written once more; every column of the output reads its row of weights.
  const scoreReads = 2 * pairs + seeing * seqlenK + seqlen * seqlenK * columns;
  const scoreWrites = pairs + seqlen * seqlenK + seeing * seqlenK;
  return {
    q: [planes * pairs * headDim * f32, 0],
    k: [planes * pairs * headDim * f32, 0],
    v: [planes * seqlen * seqlenK * columns * vec4, 0],
    o: [0, planes * seqlen * headDimV * f32],
    lse: [0, planes * seqlen * f32],
    scores: [planes * scoreReads * f32, planes * scoreWrites * f32],
  };
}

function softmaxFlash(sizes: Sizes, options: Options): RequestedBytes {
  const { batch, heads, seqlen, seqlenK, headDimV } = sizes;
  const { left, right } = reach(options);
  const offset = seqlenK - seqlen;
  const walks = tiles(seqlen, tileM).map(({ first, rows }) => {
    const begin = Math.max(0, first + offset - left);
    const end = Math.max(0, Math.min(seqlenK, first + rows - 1 + offset + right + 1));
    return walk(rows, Math.floor(begin / tileN) * tileN, end, seqlenK);
  });
  const { q, k, v } = tiledBytes(walks, sizes);
  const planes = batch * heads;
  return {
    q: [planes * q, 0],
    k: [planes * k, 0],
    v: [planes * v, 0],
    o: [0, planes * seqlen * headDimV * f32],
    lse: [0, planes * seqlen * f32],
  };
}

function leftProduct(sizes: Sizes, options: Options): RequestedBytes {
  const { batch, heads, seqlen, seqlenK, headDimV } = sizes;
  const walks = tiles(seqlen, tileM).map(({ first, rows }) =>
    walk(rows, 0, options.causal === true ? Math.min(first + tileM, seqlenK) : seqlenK, seqlenK),
  );
  const { q, k, v } = tiledBytes(walks, sizes);
  const planes = batch * heads;
  return {
    q: [planes * q, 0],
    k: [planes * k, 0],
    v: [planes * v, 0],
    o: [0, planes * seqlen * headDimV * f32],
  };
}

function lightning1(sizes: Sizes): RequestedBytes {
  const { batch, heads, seqlen, headDimV } = sizes;
  const workgroups = batch * heads * Math.ceil(seqlen / tileM) * Math.ceil(headDimV / 128);
  return { ...leftProduct(sizes, { causal: true }), slopes: [workgroups * attendants * f32, 0] };
}

/** What the last pass of the chunked kernels asks for, one head: queries meet the state first, then their chunk's keys. */
function chunkedAttend(sizes: Sizes, chunk: number, causal: boolean): { q: number; k: number; v: number } {
  const { seqlen, seqlenK, headDim, headDimV } = sizes;
  const walks = tiles(seqlen, tileM).map(({ first, rows }) => {
    const begin = Math.floor(first / chunk) * chunk;
    return walk(rows, begin, causal ? Math.min(first + tileM, seqlenK) : begin, seqlenK);
  });
  const { q, k, v } = tiledBytes(walks, sizes);
  return { q: q + Math.ceil(headDimV / 128) * seqlen * headDim * f32, k, v };
}

function rightProduct(sizes: Sizes, options: Options, chunk: number): RequestedBytes {
  const { batch, heads, seqlen, seqlenK, headDim, headDimV } = sizes;
  const planes = batch * heads;
  const chunks = Math.ceil(seqlenK / chunk);
  const queryTiles = Math.ceil(seqlen / tileM);
  const columnGroups = Math.ceil(headDimV / 128);
  const { q, k, v } = chunkedAttend(sizes, chunk, options.causal === true);
  const matrix = headDim * headDimV * f32;
  const state = matrix + headDim * f32;
  // attend: all of S for each tile of queries, and z by each of the tile's TILE_M / 4 rows of invocations.
  const stateReads = queryTiles * (matrix + columnGroups * (tileM / 4) * headDim * f32);
  return {
    q: [planes * q, 0],
    k: [planes * (Math.ceil(headDimV / 64) * seqlenK * headDim * f32 + k), 0],
    v: [planes * (Math.ceil(headDim / 64) * seqlenK * headDimV * f32 + v), 0],
    s0: [planes * matrix, 0],
    z0: [planes * headDim * f32, 0],
    o: [0, planes * seqlen * headDimV * f32],
    s: [0, planes * matrix],
    z: [0, planes * headDim * f32],
    // sum_chunks writes the sums of each chunk; scan_states reads them and writes one state more.
    states: [planes * (chunks * state + stateReads), planes * (chunks + chunks + 1) * state],
  };
}

function lightning2(sizes: Sizes, chunk: number): RequestedBytes {
  const { batch, heads, seqlen, headDim, headDimV } = sizes;
  const planes = batch * heads;
  const chunks = Math.ceil(seqlen / chunk);
  const queryTiles = Math.ceil(seqlen / tileM);
  const { q, k, v } = chunkedAttend(sizes, chunk, true);
  const state = headDim * headDimV * f32;
  const summing = chunks * Math.ceil(headDim / 64) * Math.ceil(headDimV / 64) * 64;
  const scanning = (headDim * headDimV) / 4;
  const attending = queryTiles * Math.ceil(headDimV / 128) * attendants;
  return {
    q: [planes * q, 0],
    k: [planes * (Math.ceil(headDimV / 64) * seqlen * headDim * f32 + k), 0],
    v: [planes * (Math.ceil(headDim / 64) * seqlen * headDimV * f32 + v), 0],
    slopes: [planes * (summing + scanning + attending) * f32, 0],
    s0: [planes * state, 0],
    o: [0, planes * seqlen * headDimV * f32],
    s: [0, planes * state],
    states: [planes * (chunks + queryTiles) * state, planes * 2 * chunks * state],
  };
}

const causal = { causal: true };
const softmaxCases: readonly TilingCase[] = [
  { name: 'one query', sizes: { heads: 1, seqlen: 1, headDim: 4 }, options: causal },
  { name: 'whole tiles', sizes: { heads: 2, seqlen: 128, headDim: 64 }, options: causal },
  { name: 'odd tails', sizes: { batch: 2, heads: 2, seqlen: 77, headDim: 36 }, options: { causal: false } },
  {
    name: 'grouped queries and more keys',
    sizes: { heads: 4, headsKv: 2, seqlen: 65, seqlenK: 101, headDim: 32 },
    options: causal,
  },
  {
    name: 'queries that see no key',
    sizes: { heads: 1, seqlen: 130, seqlenK: 40, headDim: 16 },
    options: causal,
  },
  {
    name: 'a window',
    sizes: { heads: 2, seqlen: 150, headDim: 20, headDimV: 68 },
    options: { causal: false, window: [40, 7] },
  },
  {
    name: 'a window that is causal',
    sizes: { heads: 1, seqlen: 190, headDim: 8 },
    options: { causal: true, window: [33, -1] },
  },
  { name: 'wide values', sizes: { heads: 1, seqlen: 70, headDim: 8, headDimV: 300 }, options: causal },
];
const linearCases: readonly TilingCase[] = [
  { name: 'one query', sizes: { heads: 1, seqlen: 1, headDim: 4 }, options: causal },
  { name: 'whole chunks', sizes: { heads: 2, seqlen: 128, headDim: 64 }, options: causal },
  { name: 'odd tails', sizes: { batch: 2, heads: 3, seqlen: 77, headDim: 36 }, options: causal },
  {
    name: 'keys of another number, not causal',
    sizes: { heads: 2, seqlen: 65, seqlenK: 150, headDim: 20, headDimV: 68 },
    options: { causal: false, feature: 'elu1' },
  },
  {
    name: 'wide values, without a denominator',
    sizes: { heads: 1, seqlen: 70, headDim: 72, headDimV: 300 },
    options: { causal: true, normalize: false, feature: 'identity' },
  },
];
const lightningCases: readonly TilingCase[] = [
  { name: 'one query', sizes: { heads: 1, seqlen: 1, headDim: 4 }, options: {} },
  { name: 'whole chunks', sizes: { heads: 2, seqlen: 192, headDim: 64 }, options: {} },
  { name: 'odd tails', sizes: { batch: 2, heads: 3, seqlen: 141, headDim: 36 }, options: {} },
  { name: 'wide values', sizes: { heads: 1, seqlen: 70, headDim: 72, headDimV: 300 }, options: {} },
  { name: 'wide keys', sizes: { heads: 1, seqlen: 100, headDim: 160, headDimV: 20 }, options: {} },
];

/** The kernel with chunks of another length; its front matter divides by the override of the same name. */
const withChunk = (name: string, chunk: number): string =>
  builtInText(name).replace('override CHUNK: u32 = 64', `override CHUNK: u32 = ${chunk}`);

/** The built-in kernels, cases of them, and what their tiling asks for, written out by hand. */
export const tilings: readonly {
  readonly name: string;
  readonly text: string;
  readonly cases: readonly TilingCase[];
  readonly expected: (sizes: Sizes, options: Options) => RequestedBytes;
}[] = [
  { name: 'softmax/naive', text: builtInText('softmax/naive.wgsl'), cases: softmaxCases, expected: softmaxNaive },
  { name: 'softmax/flash', text: builtInText('softmax/flash.wgsl'), cases: softmaxCases, expected: softmaxFlash },
  {
    name: 'linear/left-product',
    text: builtInText('linear/left-product.wgsl'),
    cases: linearCases,
    expected: leftProduct,
  },
  ...[64, 128].map((chunk) => ({
    name: `linear/right-product in chunks of ${chunk}`,
    text: withChunk('linear/right-product.wgsl', chunk),
    cases: linearCases,
    expected: (sizes: Sizes, options: Options) => rightProduct(sizes, options, chunk),
  })),
  {
    name: 'lightning/lightning1',
    text: builtInText('lightning/lightning1.wgsl'),
    cases: lightningCases,
    expected: lightning1,
  },
  ...[64, 128].map((chunk) => ({
    name: `lightning/lightning2 in chunks of ${chunk}`,
    text: withChunk('lightning/lightning2.wgsl', chunk),
    cases: lightningCases,
    expected: (sizes: Sizes) => lightning2(sizes, chunk),
  })),
];
