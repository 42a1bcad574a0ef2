import { describe, expect, it } from 'vitest';
import { lastWords, modulePlan, simulatedModule } from './simulated.js';

/** What each of 4 invocations of a single workgroup writes as its result. */
function results(body: string): number[] {
  const code = `@group(0) @binding(0) var<storage, read_write> results: array<u32>;
var<workgroup> shared_words: array<u32, 4>;
@compute @workgroup_size(4)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  var rounds = 0u;
  ${body}
  results[lane] = rounds;
}`;
  return [...lastWords(simulatedModule(modulePlan(code, { results: 16 }, 4)))];
}

/** Bounds that are known before the program runs must change nothing: `group.x` is 0 in a single workgroup. */
describe('loops whose bounds are known', () => {
  it.each([
    [
      'one round of a step larger than the range',
      'let end = group.x + 1u; for (var i = 0u; i < end; i += 64u) { rounds++; }',
      1,
    ],
    ['no round', 'for (var i = group.x; i < group.x; i++) { rounds++; }', 0],
    ['one round, bound included', 'for (var i = group.x; i <= 0u; i++) { rounds++; }', 1],
    ['a last step beyond the limit', 'for (var i = 0u; i < 10u; i += 4u) { rounds += i; }', 12],
    ['a start after the limit', 'for (var i = 5u; i < 3u; i++) { rounds++; }', 0],
    [
      'an inner loop that ends with the outer counter',
      'for (var i = 0u; i < 3u; i++) { for (var j = 0u; j <= i; j++) { rounds++; } }',
      6,
    ],
    ['a continue', 'for (var i = 0u; i < 1u + group.x; i++) { if (i == 0u) { continue; } rounds++; }', 0],
    ['a signed counter', 'for (var i = i32(group.x); i < 1; i += 3) { rounds++; }', 1],
  ])('run as often as they say: %s', (_, body, expected) => {
    expect(results(body)).toEqual([expected, expected, expected, expected]);
  });
});

/** The code of a loop without waits stands apart from that of the kernel that waits; only what it leaves comes back. */
describe('loops of a kernel that waits', () => {
  const shared = (body: string): string => `shared_words[lane] = lane + 1u; workgroupBarrier(); ${body}`;
  it.each([
    ['one sum', 'for (var i = 0u; i < 4u; i++) { rounds += shared_words[i]; }', [10, 10, 10, 10]],
    [
      'two sums',
      'var other = 0u; for (var i = 0u; i < 4u; i++) { rounds += shared_words[i]; other += rounds; } rounds = other;',
      [20, 20, 20, 20],
    ],
    [
      'nothing but an array',
      'var own = array<u32, 4>(); for (var i = lane; i < 4u; i++) { own[i] = 1u; } workgroupBarrier(); rounds = own[2];',
      [1, 1, 1, 0],
    ],
    [
      'a variable that a loop around it declares',
      `for (var i = 0u; i < 2u; i++) {
        var sum = lane;
        for (var j = 0u; j < 3u; j++) { sum += j; }
        workgroupBarrier();
        shared_words[lane] += sum;
      }
      rounds = shared_words[lane];`,
      [7, 10, 13, 16],
    ],
    [
      'a way out of the function',
      'for (var i = 0u; i < 4u; i++) { if (i > lane) { return; } results[lane] = i; }',
      null,
    ],
    ['a wait within', 'for (var i = 0u; i < 4u; i++) { rounds += i; workgroupBarrier(); }', [6, 6, 6, 6]],
  ])('leave %s', (_, body, expected) => {
    expect(results(shared(body))).toEqual(expected ?? [0, 1, 2, 0]);
  });

  it('are not taken for functions of the kernel, whatever those are called', () => {
    const code = `@group(0) @binding(0) var<storage, read_write> results: array<u32>;
var<workgroup> shared_words: array<u32, 4>;
fn apart(most: u32) -> u32 { var sum = 0u; for (var i = 0u; i < most; i++) { if (i == 3u) { return 7u; } sum += i; } return sum; }
@compute @workgroup_size(4) fn main(@builtin(local_invocation_index) lane: u32) {
  shared_words[lane] = 5u;
  workgroupBarrier();
  var sum = 0u;
  for (var i = 0u; i < 4u; i++) { sum += shared_words[i]; }
  results[lane] = sum + apart(lane + 1u);
}`;
    expect([...lastWords(simulatedModule(modulePlan(code, { results: 16 }, 4)))]).toEqual([20, 21, 23, 27]);
  });

  it('wait themselves where they fill subgroup matrices', () => {
    const code = `enable subgroups; enable chromium_experimental_subgroup_matrix;
@group(0) @binding(0) var<storage, read_write> results: array<f32>;
@compute @workgroup_size(32) fn main() {
  var sums: array<subgroup_matrix_result<f32, 8, 8>, 4>;
  for (var i = 0u; i < 4u; i++) { sums[i] = subgroup_matrix_result<f32, 8, 8>(f32(i) + 0.5); }
  subgroupMatrixStore(&results, 0u, sums[2], false, 8u);
}`;
    const found = new Float32Array(lastWords(simulatedModule(modulePlan(code, { results: 256 }, 32))).buffer);
    expect([...found]).toEqual(new Array(64).fill(2.5));
  });
});
