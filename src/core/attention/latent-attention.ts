import { goldenOption, type GoldenSizes } from './golden-operation.js';
import { normalInputs } from './inputs.js';
import { decodeCases, prefillCases } from './latent-grid.js';
import { absorbedForward, latentSizes, materialisedForward } from './latent-rows.js';
import { lastQueries, pairsIn } from './masks.js';
import type {
  AttentionParts,
  Computation,
  DimensionSpec,
  GoldenOperation,
  GridCase,
  Inputs,
  KeyRange,
  Mechanism,
  Options,
  OptionSpec,
  Shape,
  TensorSpec,
} from './mechanism.js';
import { switchOption } from './sizes.js';
import { caseScalars, forwardTolerance, input, invalidCase, lseTolerance, optionalOutput, output } from './specs.js';

/** The options of attention to latents. */
export const latentOptions: readonly OptionSpec[] = [
  {
    name: 'causal',
    kind: 'boolean',
    fallback: true,
    description: 'A query sees no key after it; the last query stands at the last key.',
  },
  {
    name: 'scale',
    kind: 'number',
    fallback: (shape: Shape): number => {
      const { headDim, ropeDim } = latentSizes(shape);
      return (headDim + ropeDim) ** -0.5;
    },
    description:
      'Factor of the scores, (headDim + ropeDim)^-1/2 unless given: also where absorbed, when the products are wider.',
  },
];

/** What the two latent mechanisms differ in. */
export interface LatentForm {
  readonly id: string;
  readonly title: string;
  readonly summary: string;
  /** Whether there are several latent heads, `headsKv` of them, or one for all query heads. */
  readonly grouped: boolean;
  /** Width of a latent unless given. */
  readonly latentDim: number;
  /** Cases of decoding beside those that both have. */
  readonly cases: readonly GridCase[];
}

const queryRows = ['batch', 'heads', 'seqlen'];
const parts: AttentionParts = { query: 'q_lat', key: 'c', value: 'c', output: 'o_lat' };
// The rotated parts add to scores, but it is q_nope and the keys made of c that say which pair a score is of.
const materialisedParts: AttentionParts = { query: 'q_nope', key: 'c', value: 'c', output: 'o' };

/** The keys each query sees: queries are the last `seqlen` of `seqlenK` positions. */
function visibleKeys(shape: Shape, options: Options): (query: number) => KeyRange {
  const { seqlen, seqlenK } = latentSizes(shape);
  return lastQueries(seqlenK, seqlen, switchOption(options, 'causal'));
}

function pairsOf(shape: Shape, options: Options): number {
  const { batch, heads, seqlen } = latentSizes(shape);
  return batch * heads * pairsIn(visibleKeys(shape, options), seqlen);
}

function tensorsOf(latentHeads: readonly string[]): {
  readonly absorbed: readonly TensorSpec[];
  readonly materialised: readonly TensorSpec[];
} {
  const qPe = input('q_pe', [...queryRows, 'ropeDim'], 'Rotated part of the queries.');
  const cache: readonly TensorSpec[] = [
    input('c', ['batch', ...latentHeads, 'seqlenK', 'latentDim'], 'Latents: keys and values at once.'),
    input('k_pe', ['batch', 'seqlenK', 'ropeDim'], 'Rotated part of the keys, one for all heads.'),
  ];
  const lse = optionalOutput(
    'lse',
    queryRows,
    lseTolerance,
    'Natural logarithm of the sum of exponentials of each row; -infinity (or at most -1e30) where a row sees no key.',
  );
  const latentRows = [...queryRows, 'latentDim'];
  return {
    absorbed: [
      input('q_lat', latentRows, 'Queries that have absorbed the up-projection of the keys: w_ukᵀ q_nope.'),
      qPe,
      ...cache,
      output(
        'o_lat',
        latentRows,
        forwardTolerance,
        'Weighted sum of latents; w_uv of its head makes the output of it.',
      ),
      lse,
    ],
    materialised: [
      input('q_nope', [...queryRows, 'headDim'], 'The part of the queries that is not rotated.'),
      qPe,
      ...cache,
      input('w_uk', ['heads', 'headDim', 'latentDim'], 'Up-projection of the latents to the keys of each head.'),
      input('w_uv', ['heads', 'headDimV', 'latentDim'], 'Up-projection of the latents to the values of each head.'),
      output('o', [...queryRows, 'headDimV'], forwardTolerance, 'Output; a row that sees no key is exactly zero.'),
      lse,
      optionalOutput('q_lat', latentRows, forwardTolerance, 'The queries of the absorbed form: w_ukᵀ q_nope.'),
    ],
  };
}

/** The dimensions of attention to latents: several latent heads where `grouped`, of `latentDim` numbers unless given. */
export function latentDimensions(grouped: boolean, latentDim: number): readonly DimensionSpec[] {
  const latentHeads: DimensionSpec = {
    name: 'headsKv',
    fallback: 2,
    description: 'Latent heads, a divisor of heads: query head h uses latent head floor(h / (heads / headsKv)).',
  };
  return [
    { name: 'batch', fallback: 1, description: 'Independent sequences.' },
    { name: 'heads', fallback: 16, description: 'Query heads.' },
    ...(grouped ? [latentHeads] : []),
    { name: 'seqlen', fallback: 1, description: 'Query tokens, the last of seqlenK: 1, or the few of a draft.' },
    { name: 'seqlenK', fallback: 1024, description: 'Tokens in the cache, those of the queries included.' },
    { name: 'latentDim', fallback: latentDim, description: 'Width of a latent head.' },
    { name: 'ropeDim', fallback: 64, description: 'Width of the rotated part of queries and keys.' },
    { name: 'headDim', fallback: 128, description: 'Width of a head of queries and keys that is not rotated.' },
    { name: 'headDimV', fallback: 'headDim', description: 'Width of a head of values and of the output.' },
  ];
}

/** Normal inputs, with up-projections scaled so that keys and values are about as large as the latents they come from. */
function materialisedInputs(specs: readonly TensorSpec[], shape: Shape, seed: number): Inputs {
  const inputs = normalInputs(specs, shape, seed);
  const factor = latentSizes(shape).latentDim ** -0.5;
  for (const name of ['w_uk', 'w_uv']) inputs[name] = inputs[name]!.map((value) => factor * value);
  return inputs;
}

function computationsOf(form: LatentForm): readonly Computation[] {
  const { absorbed, materialised } = tensorsOf(form.grouped ? ['headsKv'] : []);
  return [
    {
      direction: 'decode',
      tensors: absorbed,
      grid: [...decodeCases, ...form.cases],
      generate: (shape, _options, seed) => normalInputs(absorbed, shape, seed),
      reference: (inputs, shape, options, precision, budget) =>
        absorbedForward(inputs, shape, options, precision, visibleKeys(shape, options), budget),
      flops: (shape, options) => {
        const { latentDim, ropeDim } = latentSizes(shape);
        return 2 * pairsOf(shape, options) * (2 * latentDim + ropeDim);
      },
    },
    {
      direction: 'forward',
      tensors: materialised,
      parts: materialisedParts,
      grid: prefillCases,
      generate: (shape, _options, seed) => materialisedInputs(materialised, shape, seed),
      reference: (inputs, shape, options, precision, budget) =>
        materialisedForward(inputs, shape, options, precision, visibleKeys(shape, options), budget),
      flops: (shape, options) => {
        const { batch, heads, seqlenK, latentDim, ropeDim, headDim, headDimV } = latentSizes(shape);
        const projections = batch * heads * seqlenK * latentDim * (headDim + headDimV);
        return 2 * projections + 2 * pairsOf(shape, options) * (headDim + ropeDim + headDimV);
      },
    },
  ];
}

function goldenShape({ q_lat, q_nope, q_pe = [], c = [], W_uv }: GoldenSizes): Shape {
  return {
    batch: q_pe[0] ?? 1,
    heads: q_pe[1] ?? 1,
    headsKv: c[1] ?? 1,
    seqlen: q_pe[2] ?? 1,
    seqlenK: c[2] ?? 1,
    latentDim: q_lat?.[3] ?? c[3] ?? 1,
    ropeDim: q_pe[3] ?? 1,
    ...(q_nope && W_uv ? { headDim: q_nope[3] ?? 1, headDimV: W_uv[1] ?? 1 } : {}),
  };
}

/** The golden operations of a form: `latent` is absorbed, `mla` materialised, and both hold cases of both forms. */
function goldenOf(grouped: boolean): Readonly<Record<string, GoldenOperation>> {
  const common = {
    shape: goldenShape,
    options: ({ causal, scale }: Readonly<Record<string, unknown>>): Options => ({
      ...goldenOption('causal', causal),
      ...goldenOption('scale', scale),
    }),
    holds: ({ c = [] }: GoldenSizes): boolean => (c[1] ?? 1) > 1 === grouped,
  };
  return {
    latent: { ...common, direction: 'decode' },
    mla: { ...common, direction: 'forward', names: { W_uk: 'w_uk', W_uv: 'w_uv' } },
  };
}

/** A mechanism that attends to a cache of latents, each of them key and value at once. */
export function latentMechanism(form: LatentForm): Mechanism {
  const { id, title, summary, grouped } = form;
  const dimensions = latentDimensions(grouped, form.latentDim);
  return {
    id,
    title,
    summary,
    dimensions,
    options: latentOptions,
    computations: computationsOf(form),
    recurrence: null,
    golden: goldenOf(grouped),
    scalars: (shape, options) => caseScalars(latentOptions, shape, options),
    visibleKeys,
    parts,
    validate: (shape, options) => invalidCase(dimensions, latentOptions, shape, options) ?? unequalGroups(shape),
  };
}

/** What is wrong with the numbers of heads, in words, or null. */
export function unequalGroups(shape: Shape): string | null {
  const { heads, headsKv } = latentSizes(shape);
  return heads % headsKv === 0
    ? null
    : `heads is ${heads} and headsKv is ${headsKv}: every latent head serves the same number of query heads, so heads must be a multiple of headsKv.`;
}
