import type { Mechanism, TensorSpec } from '../core/attention/mechanism.js';

/** Fewer than the 256 invocations every WebGPU device allows in a workgroup, and a multiple of every subgroup size. */
const workgroupSize = 64;

/**
 * A kernel file with everything but the mathematics: front matter, parameters, one binding for each required tensor of
 * the mechanism's forward direction (of its first one where it has no forward), and an entry point that writes zeros, one row
 * of the output per invocation.
 */
export function kernelSkeleton(mechanism: Mechanism): string {
  const { computations } = mechanism;
  const computation = computations.find(({ direction }) => direction === 'forward') ?? computations[0];
  const { direction, tensors: all } = computation ?? { direction: 'forward', tensors: [] };
  const tensors = all.filter((tensor) => tensor.required);
  const used = new Set(tensors.flatMap((tensor) => tensor.dims));
  const dimensions = mechanism.dimensions.map(({ name }) => name).filter((name) => used.has(name));
  const members = [
    ...dimensions.map((name) => `${snakeCase(name)}: u32`),
    ...mechanism.options.flatMap((option) => {
      if (option.kind === 'boolean') return [`${snakeCase(option.name)}: u32`];
      return option.name === 'scale' ? ['scale: f32'] : [];
    }),
  ];
  const outputs = tensors.filter((tensor) => tensor.role === 'output');
  const axes = axesOf(outputs[0]);
  const [first] = axes;
  const workgroups = axes.map(({ dimension }, at) => (at === 0 ? `ceil(${dimension} / ${workgroupSize})` : dimension));
  return `/*---
mechanism: ${mechanism.id}
${direction === 'forward' ? '' : `direction: ${direction}\n`}passes:
  - { entry: ${direction}, workgroups: [${workgroups.join(', ')}] }
---*/

// ${mechanism.title}: ${mechanism.summary}

struct Params {
${members.map((member) => `  ${member},`).join('\n')}
}

@group(0) @binding(0) var<uniform> params: Params;
${tensors.map(bindingOf).join('\n')}

@compute @workgroup_size(${workgroupSize})
fn ${direction}(@builtin(global_invocation_id) id: vec3u) {
${axes.map(({ index, component }) => `  let ${index} = id.${component};`).join('\n')}
  if (${first!.index} >= params.${first!.member}) {
    return;
  }
  let row = ${rowOf(axes)};
  // The mathematics goes here. As it stands, every row is zero.
${outputs.map((tensor) => zeroRow(tensor)).join('\n')}
}
`;
}

/** A dimension that the invocations are spread along: the axis, and what its index and its parameter are called. */
interface Axis {
  readonly dimension: string;
  readonly component: 'x' | 'y' | 'z';
  readonly index: string;
  readonly member: string;
}

const indexNames: Readonly<Record<string, string>> = { seqlen: 'token', heads: 'head', batch: 'batch' };

/** The dimensions of an output but the last, the innermost first: one invocation has one row of it. */
function axesOf(output: TensorSpec | undefined): readonly Axis[] {
  const dimensions = (output?.dims ?? ['batch', 'heads', 'seqlen', '']).slice(0, -1).reverse();
  return (['x', 'y', 'z'] as const).slice(0, dimensions.length).map((component, at) => {
    const dimension = dimensions[at]!;
    const member = snakeCase(dimension);
    return { dimension, component, index: indexNames[dimension] ?? `${member}_index`, member };
  });
}

/** The number of the row, counted through all dimensions but the last. */
function rowOf(axes: readonly Axis[]): string {
  return axes
    .toReversed()
    .reduce(
      (row, { index, member }) =>
        row === '' ? index : `${row.includes(' ') ? `(${row})` : row} * params.${member} + ${index}`,
      '',
    );
}

/** `headDimV` as kernels name it in their parameters: `head_dim_v`. */
function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function bindingOf(tensor: TensorSpec, index: number): string {
  const access = tensor.role === 'input' ? 'read' : 'read_write';
  const scalar = tensor.whole ? 'i32' : 'f32';
  return `@group(0) @binding(${index + 1}) var<storage, ${access}> ${tensor.name}: array<${scalar}>; // [${tensor.dims.join(', ')}]`;
}

function zeroRow(tensor: TensorSpec): string {
  const width = `params.${snakeCase(tensor.dims.at(-1) ?? 'seqlen')}`;
  return `  for (var column = 0u; column < ${width}; column++) {
    ${tensor.name}[row * ${width} + column] = 0.0;
  }`;
}
