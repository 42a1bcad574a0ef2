/** What differs in the templates of the two latent mechanisms. */
interface LatentTemplate {
  readonly mechanism: string;
  readonly opening: string;
  /** The member of params that counts latent heads, with its line end, where there are several. */
  readonly headsParam: string;
  readonly latentDims: string;
  /** The latent head of a query head, in WGSL, over all sequences. */
  readonly latentHead: string;
}

function latentTemplate({ mechanism, opening, headsParam, latentDims, latentHead }: LatentTemplate): string {
  return `/*---
mechanism: ${mechanism}
direction: decode
shape: { batch: 1, heads: 8, seqlen: 1, seqlenK: 256, latentDim: 64, ropeDim: 16 }
passes:
  - { entry: attend, workgroups: [seqlen, heads * ceil(latentDim / TILE_N), batch] }
---*/

${opening}
//
// One workgroup per query and block of TILE_N columns of the output. It takes TILE_N keys at a time: first each invocation
// finds the score of one key, then each adds the weighted latents in one column. A place to start from: right on every
// device, and slow, because the latents are read anew for every query head, and twice: as keys and as values.

override TILE_N: u32 = 64; // keys per step, and invocations per workgroup

struct Params {
  heads: u32,
${headsParam}  seqlen: u32, // new tokens, the last of seqlen_k
  seqlen_k: u32,
  latent_dim: u32,
  rope_dim: u32,
  causal: u32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q_lat: array<f32>; // [batch, heads, seqlen, latentDim]
@group(0) @binding(2) var<storage, read> q_pe: array<f32>; // [batch, heads, seqlen, ropeDim]
@group(0) @binding(3) var<storage, read> c: array<f32>; // [${latentDims}]
@group(0) @binding(4) var<storage, read> k_pe: array<f32>; // [batch, seqlenK, ropeDim]
@group(0) @binding(5) var<storage, read_write> o_lat: array<f32>; // [batch, heads, seqlen, latentDim]

const MASKED = -1e30; // WGSL has no infinity to rely on

var<workgroup> scores: array<f32, TILE_N>;

@compute @workgroup_size(TILE_N)
fn attend(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let width = params.latent_dim;
  let head = group.y % params.heads;
  let column = group.y / params.heads * TILE_N + lane;
  let query = (group.z * params.heads + head) * params.seqlen + group.x;
  let first_latent = ${latentHead} * params.seqlen_k;
  let first_rope = group.z * params.seqlen_k;
  // Where causal, query i of the last seqlen positions sees the keys below i + 1 + seqlen_k - seqlen, if there are any.
  let before = group.x + 1u + params.seqlen_k;
  let end = select(params.seqlen_k, max(before, params.seqlen) - params.seqlen, params.causal != 0u);

  var maximum = MASKED;
  var denominator = 0.0;
  var numerator = 0.0;
  for (var first = 0u; first < end; first += TILE_N) {
    let key = first + lane;
    var score = MASKED;
    if (key < end) {
      var sum = 0.0;
      for (var d = 0u; d < width; d++) {
        sum += q_lat[query * width + d] * c[(first_latent + key) * width + d];
      }
      for (var d = 0u; d < params.rope_dim; d++) {
        sum += q_pe[query * params.rope_dim + d] * k_pe[(first_rope + key) * params.rope_dim + d];
      }
      score = params.scale * sum;
    }
    scores[lane] = score;
    workgroupBarrier();

    let count = min(TILE_N, end - first);
    var next = maximum;
    for (var j = 0u; j < count; j++) {
      next = max(next, scores[j]);
    }
    let shrink = exp(maximum - next);
    denominator *= shrink;
    numerator *= shrink;
    for (var j = 0u; j < count; j++) {
      let weight = exp(scores[j] - next);
      denominator += weight;
      if (column < width) {
        numerator += weight * c[(first_latent + first + j) * width + column];
      }
    }
    maximum = next;
    workgroupBarrier();
  }

  if (column < width) {
    o_lat[query * width + column] = select(0.0, numerator / denominator, end > 0u);
  }
}
`;
}

/** A first kernel of multi-head latent attention, decoding. */
export const multiHeadLatentAttentionTemplate = latentTemplate({
  mechanism: 'multi-head-latent-attention',
  opening: `// Multi-head latent attention (MLA), decoding in the absorbed form: one latent of a token is the key and the value of all
// heads, with the softmax computed online.`,
  headsParam: '',
  latentDims: 'batch, seqlenK, latentDim',
  latentHead: 'group.z',
});

/** A first kernel of Grouped Latent Attention, decoding. */
export const groupedLatentAttentionTemplate = latentTemplate({
  mechanism: 'grouped-latent-attention',
  opening: `// Grouped Latent Attention, decoding in the absorbed form: one latent of a token is the key and the value of a group of
// heads, with the softmax computed online. Not Gated Linear Attention, which is called GLA too.`,
  headsParam: '  heads_kv: u32, // latent heads\n',
  latentDims: 'batch, headsKv, seqlenK, latentDim',
  latentHead: '(group.z * params.heads_kv + head / (params.heads / params.heads_kv))',
});
