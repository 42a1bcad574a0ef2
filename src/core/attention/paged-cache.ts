import { randomBits } from '../numerics/random.js';
import type { DimensionSpec, Inputs, Options, OptionSpec, PagedKeys, Shape, TensorSpec } from './mechanism.js';
import { choiceOption } from './sizes.js';
import { wholeInput } from './specs.js';

/**
 * What stands in a table beyond the last page of a sequence: no page at all, and as an i32 so large that a kernel that uses
 * it leaves every buffer.
 */
const noPage = 2147480000;

/** The dimension that bounds the lengths of sequences; their own lengths are in `seqlens`. */
export const longestSequence: DimensionSpec = {
  name: 'seqlenK',
  fallback: 1024,
  description: 'Tokens of the longest sequence, those of the queries included.',
  onlyInputs: true,
};

/** The sizes of a paged cache, beside those of what it keeps of a token: `seqlenK` tokens of the longest sequence. */
export const pagedDimensions: readonly DimensionSpec[] = [
  { name: 'pageSize', fallback: 64, description: 'Tokens of a page.' },
  {
    name: 'tablePages',
    fallback: {
      from: ['seqlenK', 'pageSize'],
      size: (seqlenK, pageSize) => Math.ceil(seqlenK / pageSize),
      text: 'ceil(seqlenK / pageSize)',
    },
    description: 'Entries of block_table for each sequence.',
  },
  {
    name: 'pages',
    fallback: {
      from: ['batch', 'tablePages'],
      size: (batch, tablePages) => batch * tablePages,
      text: 'batch · tablePages',
    },
    description: 'Pages of all sequences together; with fewer than they fill, sequences share pages.',
    onlyInputs: true,
  },
];

/** How long the sequences are whose lengths are generated. */
export const lengthsOption: OptionSpec = {
  name: 'lengths',
  kind: 'choice',
  choices: ['full', 'uneven', 'empty'],
  fallback: 'full',
  onlyInputs: true,
  description:
    'Lengths of the sequences: full, all of seqlenK tokens; uneven, from seqlenK down; empty, the same and the last one empty.',
};

/** The tensors that say where tokens lie, beside the pages themselves. */
export const pagedTensors: readonly TensorSpec[] = [
  wholeInput(
    'block_table',
    ['batch', 'tablePages'],
    'Page of each pageSize tokens of a sequence; undefined beyond its last token.',
  ),
  wholeInput('seqlens', ['batch'], 'Tokens of each sequence, those of the queries included; 0 for an empty one.'),
];

/** Sizes of a paged cache at a complete shape. */
export interface PagedSizes {
  readonly batch: number;
  /** Tokens of the longest sequence. */
  readonly seqlenK: number;
  readonly pageSize: number;
  readonly tablePages: number;
  readonly pages: number;
}

/** Reads the sizes of a complete shape with a paged cache. */
export function pagedSizes({ batch, seqlenK, pageSize, tablePages, pages }: Shape): PagedSizes {
  if (
    batch === undefined ||
    seqlenK === undefined ||
    pageSize === undefined ||
    tablePages === undefined ||
    pages === undefined
  ) {
    throw new Error(
      'Bug in Tilescope: a shape reached the paged reference incomplete. Complete it with completeShape.',
    );
  }
  return { batch, seqlenK, pageSize, tablePages, pages };
}

/** Tokens of each sequence that is generated for a case, as the option `lengths` has them. */
export function sequenceLengths(shape: Shape, options: Options): readonly number[] {
  const { batch, seqlenK } = pagedSizes(shape);
  const kind = choiceOption(options, 'lengths');
  return Array.from({ length: batch }, (_, sequence) => {
    if (kind === 'full') return seqlenK;
    if (kind === 'empty' && sequence === batch - 1) return 0;
    return seqlenK - Math.floor((sequence * seqlenK) / batch);
  });
}

/** Where the tokens of generated sequences lie: pages in random order, no page where a table says nothing. */
export function pageTables(
  shape: Shape,
  options: Options,
  seed: number,
): { readonly block_table: Float32Array; readonly seqlens: Float32Array } {
  const { batch, pageSize, tablePages, pages } = pagedSizes(shape);
  const order = Uint32Array.from({ length: pages }, (_, page) => page);
  const next = randomBits(seed, 'block_table');
  for (let left = pages - 1; left > 0; left--) {
    const other = next() % (left + 1);
    [order[left], order[other]] = [order[other]!, order[left]!];
  }
  const lengths = sequenceLengths(shape, options);
  const table = new Float32Array(batch * tablePages).fill(noPage);
  let taken = 0;
  lengths.forEach((length, sequence) => {
    for (let page = 0; page * pageSize < length; page++) table[sequence * tablePages + page] = order[taken++ % pages]!;
  });
  return { block_table: table, seqlens: Float32Array.from(lengths) };
}

/** The slot, counted over all pages, of each token of a sequence. */
function slotsOf(inputs: Inputs, shape: Shape, sequence: number): Uint32Array {
  const { pageSize, tablePages } = pagedSizes(shape);
  return Uint32Array.from({ length: inputs.seqlens![sequence]! }, (_, token) => {
    const page = inputs.block_table![sequence * tablePages + Math.floor(token / pageSize)]!;
    return page * pageSize + (token % pageSize);
  });
}

/**
 * What pages [pages, pageSize, heads, width] hold of the tokens of a sequence, head by head as a cache without pages has
 * it: [heads, tokens, width].
 */
export function tokensByHead(
  pages: Float32Array,
  heads: number,
  width: number,
  inputs: Inputs,
  shape: Shape,
  sequence: number,
): Float32Array {
  const slots = slotsOf(inputs, shape, sequence);
  const rows = new Float32Array(slots.length * heads * width);
  slots.forEach((slot, token) => {
    for (let head = 0; head < heads; head++) {
      const from = (slot * heads + head) * width;
      rows.set(pages.subarray(from, from + width), (head * slots.length + token) * width);
    }
  });
  return rows;
}

/** Pages with NaN in every slot that is no sequence's, so that a result that read one is none. */
export function poisonedPages(pages: Float32Array, width: number, tables: Inputs, shape: Shape): Float32Array {
  const { batch } = pagedSizes(shape);
  const poisoned = new Float32Array(pages.length).fill(Number.NaN);
  for (let sequence = 0; sequence < batch; sequence++) {
    for (const slot of slotsOf(tables, shape, sequence)) {
      poisoned.set(pages.subarray(slot * width, (slot + 1) * width), slot * width);
    }
  }
  return poisoned;
}

/** What is wrong with the sizes of a paged cache, in words, or null. */
export function invalidPages(shape: Shape): string | null {
  const { seqlenK, pageSize, tablePages } = pagedSizes(shape);
  return tablePages * pageSize >= seqlenK
    ? null
    : `tablePages is ${tablePages} and pageSize is ${pageSize}: a table holds ${tablePages * pageSize} tokens of a sequence, and seqlenK is ${seqlenK}.`;
}

/** Which pages the tokens of each sequence lie in, and whether each slot is one token's of as many in each sequence. */
export const pagedKeys: PagedKeys = {
  follows: (shape, options) => {
    const { batch, seqlenK, pageSize, pages } = pagedSizes(shape);
    return choiceOption(options, 'lengths') === 'full' && pages >= batch * Math.ceil(seqlenK / pageSize);
  },
  tables: (inputs, shape) => {
    const { batch, seqlenK, pageSize, tablePages } = pagedSizes(shape);
    const used = Math.ceil(seqlenK / pageSize);
    return Array.from({ length: batch }, (_, sequence) =>
      Array.from(inputs.block_table!.subarray(sequence * tablePages, sequence * tablePages + used)),
    );
  },
};
