/** What a name in the front matter refers to: completion, hover and the checks all go by it. */
export type NameSource =
  | 'mechanism'
  | 'direction'
  | 'dimension'
  | 'option'
  | 'dimensionOrOption'
  | 'entry'
  | 'override'
  | 'binding'
  | 'tensor'
  | 'tensorOrScratch'
  | 'uniformMember'
  | 'feature'
  | 'new';

/** The form of a value in the front matter. */
export type ValueSchema =
  | { readonly kind: 'text'; readonly names: NameSource; readonly choices: readonly string[] | null }
  | { readonly kind: 'number' }
  /** A number or an expression over dimensions, options and overrides. */
  | { readonly kind: 'expression' }
  /** The value of an option or dimension: a switch, number, word or `[left, right]`. */
  | { readonly kind: 'optionValue' }
  | { readonly kind: 'define' }
  | {
      readonly kind: 'list';
      readonly item: ValueSchema;
      readonly least: number;
      readonly most: number;
      /** A lone item may stand without its brackets. */
      readonly single: boolean;
    }
  | { readonly kind: 'map'; readonly keys: NameSource; readonly value: ValueSchema }
  | { readonly kind: 'record'; readonly fields: readonly FieldSchema[] };

/** One key of the front matter or of a record in it. */
export interface FieldSchema {
  readonly key: string;
  readonly required: boolean;
  readonly description: string;
  /** What holds when the key is absent, in words. */
  readonly fallback: string;
  readonly examples: readonly string[];
  readonly value: ValueSchema;
}

const names = (source: NameSource): ValueSchema => ({ kind: 'text', names: source, choices: null });
const map = (keys: NameSource, value: ValueSchema): ValueSchema => ({ kind: 'map', keys, value });
const list = (item: ValueSchema, least = 0, most = Number.POSITIVE_INFINITY): ValueSchema => ({
  kind: 'list',
  item,
  least,
  most,
  single: false,
});
const oneOrMore = (item: ValueSchema, most: number): ValueSchema => ({
  kind: 'list',
  item,
  least: 1,
  most,
  single: true,
});
const expression: ValueSchema = { kind: 'expression' };

const passFields: readonly FieldSchema[] = [
  {
    key: 'entry',
    required: false,
    description: 'The `@compute` function this pass runs.',
    fallback: 'the only entry point of the file',
    examples: ['forward'],
    value: names('entry'),
  },
  {
    key: 'workgroups',
    required: true,
    description:
      'Workgroups along x, y and z: expressions over dimensions, options and overrides with `+ - * / %`, `ceil`, `floor`, `min`, `max` and `div`. Axes left out are 1.',
    fallback: 'none: it must be given',
    examples: ['[ceil(seqlen / TILE_M), heads, batch]'],
    value: oneOrMore(expression, 3),
  },
];

/** Every key of the front matter: its form, its meaning and what holds without it. */
export const frontMatterFields: readonly FieldSchema[] = [
  {
    key: 'mechanism',
    required: true,
    description: 'The attention mechanism this kernel computes. It fixes the tensors, the reference and the cost.',
    fallback: 'none: it must be given',
    examples: ['softmax-attention', 'linear-attention', 'lightning-attention', 'gated-linear-attention', 'delta-rule'],
    value: names('mechanism'),
  },
  {
    key: 'direction',
    required: false,
    description: 'Which computation of the mechanism it is: `forward`, `backward` or `decode`.',
    fallback: 'forward',
    examples: ['forward'],
    value: { kind: 'text', names: 'direction', choices: ['forward', 'backward', 'decode'] },
  },
  {
    key: 'shape',
    required: false,
    description: 'The sizes to run and benchmark.',
    fallback:
      "the mechanism's own sizes; some follow others, such as `headsKv`, `seqlenK` and `headDimV` the sizes `heads`, `seqlen` and `headDim`",
    examples: ['{ batch: 1, heads: 8, seqlen: 2048, headDim: 64 }'],
    value: map('dimension', { kind: 'number' }),
  },
  {
    key: 'options',
    required: false,
    description: "The mechanism's options, such as `causal`, `window` or `scale`.",
    fallback: "the mechanism's own",
    examples: ['{ causal: true }'],
    value: map('option', { kind: 'optionValue' }),
  },
  {
    key: 'limits',
    required: false,
    description: 'The largest sizes the kernel takes, by dimension, such as a width that has to fit its registers.',
    fallback: 'none',
    examples: ['{ headDim: 128 }'],
    value: map('dimension', { kind: 'number' }),
  },
  {
    key: 'cases',
    required: false,
    description:
      'Cases to verify. Each names the dimensions and options in which it differs from `shape` and `options`.',
    fallback: "the mechanism's grid, as far as the kernel takes the dimensions and options it varies",
    examples: ['[{ seqlen: 65, causal: false }]'],
    value: list(map('dimensionOrOption', { kind: 'optionValue' })),
  },
  {
    key: 'passes',
    required: true,
    description: 'The entry points to run, in order, each with its number of workgroups.',
    fallback: 'none: the number of workgroups must be given',
    examples: ['[{ entry: forward, workgroups: [ceil(seqlen / TILE_M), heads, batch] }]'],
    value: { kind: 'list', item: { kind: 'record', fields: passFields }, least: 1, most: 64, single: true },
  },
  {
    key: 'constants',
    required: false,
    description: 'Values for `override`s: numbers, or expressions over dimensions and options.',
    fallback: 'the values in the WGSL',
    examples: ['{ TILE_M: 32, HEAD_DIM: headDim }'],
    value: map('override', expression),
  },
  {
    key: 'scratch',
    required: false,
    description: 'Intermediate buffers: a name, and a format with sizes as expressions.',
    fallback: 'none',
    examples: ['\n  states: f32[batch, heads, ceil(seqlen / TILE_N), headDim, headDimV]'],
    value: map('new', names('new')),
  },
  {
    key: 'bindings',
    required: false,
    description: 'WGSL variable → tensor or scratch buffer, where the names differ.',
    fallback: 'the tensor or scratch buffer of the same name',
    examples: ['{ query: q, key: k, value: v, result: o }'],
    value: map('binding', names('tensorOrScratch')),
  },
  {
    key: 'uniforms',
    required: false,
    description: 'Uniform member → dimension, option or expression, where the names differ.',
    fallback: 'the dimension or option whose name in snake_case is that of the member',
    examples: ['{ n_ctx: seqlen, groups: heads / headsKv }'],
    value: map('uniformMember', expression),
  },
  {
    key: 'layout',
    required: false,
    description: 'Tensor → the order of its dimensions in memory, slowest first.',
    fallback: '[batch, heads, seqlen, headDim], row-major',
    examples: ['{ q: [batch, seqlen, heads, headDim] }'],
    value: map('tensor', list(names('dimension'))),
  },
  {
    key: 'dtype',
    required: false,
    description:
      'Tensor → `f32` or `f16`, `i32` or `u32` for whole numbers. An `array<u32>` of packed pairs needs `f16` here.',
    fallback: 'from the WGSL type',
    examples: ['{ q: f16, k: f16 }'],
    value: map('tensor', { kind: 'text', names: 'new', choices: ['f32', 'f16', 'i32', 'u32'] }),
  },
  {
    key: 'defines',
    required: false,
    description:
      'Values for the preprocessor of files that use `#define` or `#ifdef`. Text that is an expression over dimensions and options is evaluated.',
    fallback: 'none',
    examples: ['{ USE_MASK: 1, HEAD_DIM: headDim }'],
    value: map('new', { kind: 'define' }),
  },
  {
    key: 'requires',
    required: false,
    description: 'WebGPU features the kernel needs.',
    fallback: 'those of its `enable` lines',
    examples: ['[shader-f16, subgroups]'],
    value: list(names('feature')),
  },
  {
    key: 'tune',
    required: false,
    description: '`override` → the values to try when tuning.',
    fallback: 'none',
    examples: ['{ TILE_M: [16, 32, 64] }'],
    value: map('override', list({ kind: 'number' })),
  },
];

/** A JSON Schema (draft 2020-12) of the front matter, for editors that take one. */
export function frontMatterJsonSchema(mechanismIds: readonly string[]): Readonly<Record<string, unknown>> {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Tilescope kernel front matter',
    ...recordSchema(frontMatterFields, mechanismIds),
  };
}

function recordSchema(fields: readonly FieldSchema[], mechanismIds: readonly string[]): Record<string, unknown> {
  const properties = fields.map((field) => [
    field.key,
    {
      description: `${field.description} Default: ${field.fallback}.`,
      examples: field.examples,
      ...valueSchema(field.value, mechanismIds),
    },
  ]);
  return {
    type: 'object',
    additionalProperties: false,
    required: fields.filter((field) => field.required).map((field) => field.key),
    properties: Object.fromEntries(properties) as Record<string, unknown>,
  };
}

function valueSchema(value: ValueSchema, mechanismIds: readonly string[]): Record<string, unknown> {
  switch (value.kind) {
    case 'text': {
      const choices = value.names === 'mechanism' ? mechanismIds : value.choices;
      return choices ? { type: 'string', enum: choices } : { type: 'string' };
    }
    case 'number':
      return { type: 'number' };
    case 'expression':
      return { type: ['number', 'string'] };
    case 'define':
      return { type: ['number', 'string', 'boolean'] };
    case 'optionValue':
      return { type: ['number', 'string', 'boolean', 'array'] };
    case 'list': {
      const items = valueSchema(value.item, mechanismIds);
      const most = Number.isFinite(value.most) ? { maxItems: value.most } : {};
      const array = { type: 'array', items, minItems: value.least, ...most };
      return value.single ? { anyOf: [array, items] } : array;
    }
    case 'map':
      return { type: 'object', additionalProperties: valueSchema(value.value, mechanismIds) };
    case 'record':
      return recordSchema(value.fields, mechanismIds);
  }
}
