import type { KernelSource } from '../../src/lab/contract.js';

/** What a hostile kernel changes in the good one below. */
export interface Change {
  /** WGSL at module scope, before the entry point. */
  readonly declarations?: string;
  /** Statements before the good ones. */
  readonly before?: string;
  /** The statement that stores a result; the good one is `o[at] = value;`. */
  readonly store?: string;
  /** Statements after the good ones. */
  readonly after?: string;
  /** More front matter. */
  readonly frontMatter?: string;
  /** The declaration of the output. */
  readonly output?: string;
}

/**
 * Causal linear attention without a denominator, one invocation per query and head: a kernel small enough to be read at
 * a glance, right as it stands. Its shape is 2 heads, 9 tokens and a head of 4.
 */
export function smallKernel(name: string, change: Change = {}): KernelSource {
  const text = `/*---
mechanism: linear-attention
shape: { batch: 1, heads: 2, seqlen: 9, headDim: 4 }
options: { feature: identity, normalize: false }
passes:
  - { entry: main, workgroups: [ceil(seqlen / 8), heads, batch] }
cases:
  - { seqlen: 1 }
  - { seqlen: 17 }
${change.frontMatter ?? ''}
---*/
struct Params { heads: u32, seqlen: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<vec4f>;
@group(0) @binding(2) var<storage, read> k: array<vec4f>;
@group(0) @binding(3) var<storage, read> v: array<vec4f>;
${change.output ?? '@group(0) @binding(4) var<storage, read_write> o: array<vec4f>;'}
${change.declarations ?? ''}
@compute @workgroup_size(8)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  ${change.before ?? ''}
  let row = id.x;
  let base = (id.z * params.heads + id.y) * params.seqlen;
  if (row < params.seqlen) {
    let at = base + row;
    var value = vec4f();
    for (var j = 0u; j <= row; j++) {
      value += dot(q[at], k[base + j]) * v[base + j];
    }
    ${change.store ?? 'o[at] = value;'}
  }
  ${change.after ?? ''}
}
`;
  return { name, text };
}
