import type { AttentionParts, DimensionSpec, OptionSpec, Options, Shape, TensorSpec, Tolerance } from './mechanism.js';
import { numberOption } from './sizes.js';

/** The bound on outputs and states of a forward pass: RMS of the error over RMS of the reference. */
export const forwardTolerance: Tolerance = { kind: 'ratio', bound: 2e-5 };

/** The bound on gradients of queries, keys, values and initial states. */
export const gradientTolerance: Tolerance = { kind: 'ratio', bound: 1e-4 };

/** The bound on gradients of gates, which are small differences of sums over all later tokens. */
export const gateGradientTolerance: Tolerance = { kind: 'ratio', bound: 2e-4 };

/** The bound on a log-sum-exp, whose size says nothing of the sum it stands for. */
export const lseTolerance: Tolerance = { kind: 'absolute', bound: 1e-4 };

/** Queries, keys, values and outputs by the names most mechanisms have for them. */
export const attentionParts: AttentionParts = { query: 'q', key: 'k', value: 'v', output: 'o' };

/** A tensor every kernel of the computation must read. */
export function input(name: string, dims: readonly string[], description: string): TensorSpec {
  return { name, role: 'input', dims, required: true, description, tolerance: null };
}

/** A tensor of whole numbers (pages, lengths) every kernel of the computation must read, as i32 or u32. */
export function wholeInput(name: string, dims: readonly string[], description: string): TensorSpec {
  return { ...input(name, dims, description), whole: true };
}

/** A tensor a kernel may leave out: it then counts as zero. */
export function optionalInput(name: string, dims: readonly string[], description: string): TensorSpec {
  return { ...input(name, dims, description), required: false };
}

/** A tensor every kernel of the computation must write. */
export function output(name: string, dims: readonly string[], tolerance: Tolerance, description: string): TensorSpec {
  return { name, role: 'output', dims, required: true, description, tolerance };
}

/** A tensor a kernel may write; it is checked where it does. */
export function optionalOutput(
  name: string,
  dims: readonly string[],
  tolerance: Tolerance,
  description: string,
): TensorSpec {
  return { ...output(name, dims, tolerance, description), required: false };
}

/** The dimensions of queries, keys and values; a mechanism leaves out those it does not have. */
export function attentionDimensions(seqlen: number, without: readonly string[]): readonly DimensionSpec[] {
  const all: readonly DimensionSpec[] = [
    { name: 'batch', fallback: 1, description: 'Independent sequences.' },
    { name: 'heads', fallback: 8, description: 'Query heads.' },
    {
      name: 'headsKv',
      fallback: 'heads',
      description: 'Key and value heads, a divisor of heads: query head h uses head floor(h / (heads / headsKv)).',
    },
    { name: 'seqlen', fallback: seqlen, description: 'Tokens; query tokens where seqlenK differs.' },
    { name: 'seqlenK', fallback: 'seqlen', description: 'Key and value tokens.' },
    { name: 'headDim', fallback: 64, description: 'Width of a query and key head.' },
    { name: 'headDimV', fallback: 'headDim', description: 'Width of a value and output head.' },
  ];
  return all.filter((dimension) => !without.includes(dimension.name));
}

/**
 * Every number a kernel may ask for by name: the dimensions, and the options as numbers (a switch is 0 or 1, a choice
 * its index, a window its name with `Left` and `Right`).
 */
export function caseScalars(
  specs: readonly OptionSpec[],
  shape: Shape,
  options: Options,
): Readonly<Record<string, number>> {
  const scalars: Record<string, number> = { ...shape };
  for (const spec of specs) {
    const value = options[spec.name];
    if (typeof value === 'number') scalars[spec.name] = value;
    else if (typeof value === 'boolean') scalars[spec.name] = value ? 1 : 0;
    else if (typeof value === 'string')
      scalars[spec.name] = spec.kind === 'choice' ? spec.choices.indexOf(value) : Number.NaN;
    else if (value !== undefined) {
      scalars[`${spec.name}Left`] = value[0];
      scalars[`${spec.name}Right`] = value[1];
    }
  }
  return scalars;
}

/** What is wrong with a shape or with the kind of an option's value, in words, or null. */
export function invalidCase(
  dimensions: readonly DimensionSpec[],
  specs: readonly OptionSpec[],
  shape: Shape,
  options: Options,
): string | null {
  for (const { name } of dimensions) {
    const size = shape[name];
    if (size === undefined || !Number.isInteger(size) || size < 1) {
      return `${name} is ${size ?? 'missing'}, and must be a whole number of at least 1.`;
    }
  }
  for (const spec of specs) {
    const problem = invalidOption(spec, options);
    if (problem !== null) return problem;
  }
  return null;
}

/** What is wrong with an option that counts tokens (a chunk, a block) and is known to be a number, in words, or null. */
export function invalidTokenCount(name: string, options: Options): string | null {
  const count = numberOption(options, name);
  return Number.isInteger(count) && count >= 1
    ? null
    : `${name} is ${count}, and must be a whole number of tokens, 1 or more.`;
}

function invalidOption(spec: OptionSpec, options: Options): string | null {
  const value = options[spec.name];
  const shown = value === undefined ? 'missing' : JSON.stringify(value);
  switch (spec.kind) {
    case 'boolean':
      return typeof value === 'boolean' ? null : `${spec.name} is ${shown}, and must be true or false.`;
    case 'number':
      return typeof value === 'number' && Number.isFinite(value)
        ? null
        : `${spec.name} is ${shown}, and must be a finite number.`;
    case 'choice':
      return typeof value === 'string' && spec.choices.includes(value)
        ? null
        : `${spec.name} is ${shown}, and must be one of ${spec.choices.join(', ')}.`;
    case 'window':
      return typeof value === 'object' && value.every((side) => Number.isInteger(side) && side >= -1)
        ? null
        : `${spec.name} is ${shown}, and must be two whole numbers [left, right], -1 for unlimited.`;
  }
}
