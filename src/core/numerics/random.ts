const goldenRatio = 0x9e3779b9;

/** Mixes 32 bits so that neighbouring seeds give unrelated streams (the finalizer of MurmurHash3). */
function mix(bits: number): number {
  let h = bits >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

function seedOf(seed: number, stream: string): number {
  let h = mix(seed ^ goldenRatio);
  for (let i = 0; i < stream.length; i++) h = mix(h ^ stream.charCodeAt(i) ^ Math.imul(i + 1, goldenRatio));
  return h;
}

/** The first numbers of a stream, which are dropped: the seed has not mixed yet. */
const startDraws = 12;

/**
 * A seeded source of 32-bit unsigned integers (sfc32 by Chris Doty-Humphrey, PractRand). `stream` names an independent
 * sequence of the same seed: one per tensor, so that leaving one out moves no other.
 */
export function randomBits(seed: number, stream: string): () => number {
  // Kept as int32, which engines hold without a heap number for each.
  let a = seedOf(seed, stream) | 0;
  let b = mix(a + goldenRatio) | 0;
  let c = mix(b + goldenRatio) | 0;
  let counter = 1;
  const next = (): number => {
    const result = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + result) | 0;
    return result >>> 0;
  };
  for (let i = 0; i < startDraws; i++) next();
  return next;
}

/** Numbers drawn for a value: each is two uniforms of 16 bits. */
const drawsPerValue = 6;

/**
 * `count` float32 values of mean 0 and standard deviation 1, close to normal, hardly beyond ±6: sums of twelve uniform
 * 16-bit numbers. Only exact arithmetic, no logarithm or cosine, so the bits are the same in every engine.
 */
export function normalValues(count: number, seed: number, stream: string): Float32Array {
  const values = new Float32Array(count);
  // Tensors have millions of values. The steps of `randomBits` are written out here because its state, which a closure
  // holds in memory, stays in registers as local variables: half the time.
  let a = seedOf(seed, stream) | 0;
  let b = mix(a + goldenRatio) | 0;
  let c = mix(b + goldenRatio) | 0;
  let counter = 1;
  for (let i = -startDraws / drawsPerValue; i < count; i++) {
    let sum = 0;
    for (let draw = 0; draw < drawsPerValue; draw++) {
      const bits = (((a + b) | 0) + counter) | 0;
      counter = (counter + 1) | 0;
      a = b ^ (b >>> 9);
      b = (c + (c << 3)) | 0;
      c = (((c << 21) | (c >>> 11)) + bits) | 0;
      sum += (bits >>> 16) + (bits & 0xffff);
    }
    // Twelve uniforms on 0..65535 have mean 12·32767.5 and standard deviation 65536. Dividing by no power of two fills
    // the mantissa, so that sums of inputs round as those of any data do.
    if (i >= 0) values[i] = (sum - 393210) / 65535;
  }
  return values;
}
