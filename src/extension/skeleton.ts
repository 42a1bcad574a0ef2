import type { Mechanism, TensorSpec } from '../core/attention/mechanism.js';

/** Fewer than the 256 invocations every WebGPU device allows in a workgroup, and a multiple of every subgroup size. */
const workgroupSize = 64;

/**
 * A kernel file with everything but the mathematics: front matter, parameters, one binding for each required tensor of
 * the mechanism's forward direction, and an entry point that writes zeros, one row of `o` per invocation.
 */
export function kernelSkeleton(mechanism: Mechanism): string {
  const forward = mechanism.computations.find((computation) => computation.direction === 'forward');
  const tensors = (forward?.tensors ?? []).filter((tensor) => tensor.required);
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
  return `/*---
mechanism: ${mechanism.id}
passes:
  - { entry: forward, workgroups: [ceil(seqlen / ${workgroupSize}), heads, batch] }
---*/

// ${mechanism.title}: ${mechanism.summary}

struct Params {
${members.map((member) => `  ${member},`).join('\n')}
}

@group(0) @binding(0) var<uniform> params: Params;
${tensors.map(bindingOf).join('\n')}

@compute @workgroup_size(${workgroupSize})
fn forward(@builtin(global_invocation_id) id: vec3u) {
  let token = id.x;
  let head = id.y;
  let batch = id.z;
  if (token >= params.seqlen) {
    return;
  }
  let row = (batch * params.heads + head) * params.seqlen + token;
  // The mathematics goes here. As it stands, every row is zero.
${outputs.map((tensor) => zeroRow(tensor)).join('\n')}
}
`;
}

/** `headDimV` as kernels name it in their parameters: `head_dim_v`. */
function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function bindingOf(tensor: TensorSpec, index: number): string {
  const access = tensor.role === 'input' ? 'read' : 'read_write';
  return `@group(0) @binding(${index + 1}) var<storage, ${access}> ${tensor.name}: array<f32>; // [${tensor.dims.join(', ')}]`;
}

function zeroRow(tensor: TensorSpec): string {
  const width = `params.${snakeCase(tensor.dims.at(-1) ?? 'seqlen')}`;
  return `  for (var column = 0u; column < ${width}; column++) {
    ${tensor.name}[row * ${width} + column] = 0.0;
  }`;
}
