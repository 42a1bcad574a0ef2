import { describe, expect, it } from 'vitest';
import { SimulationCompiler, type CompiledSimulation } from '../../../src/core/simulator/compile.js';
import type { Recording } from '../../../src/core/simulator/trace.js';
import { all, bare, compiled, finish, modulePlan } from './simulated.js';

const counting: Recording = { ...bare, contents: false };

/** A kernel over a table whose first word says how many of the others each invocation reads. */
const kernel = (rounds: string): string => `
@group(0) @binding(0) var<storage, read_write> table: array<u32>;
@group(0) @binding(1) var<storage, read_write> results: array<u32>;
@compute @workgroup_size(4)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  ${rounds.includes('groups') ? '@builtin(num_workgroups) groups: vec3<u32>,' : ''}
  @builtin(local_invocation_index) lane: u32,
) {
  var sum = 0u;
  let rounds = ${rounds};
  for (var i = 0u; i < rounds; i++) { sum += table[i]; }
  results[4u * group.x + lane] = sum;
}`;

type SmallPlan = ReturnType<typeof modulePlan>;

function smallPlan(rounds: string, length: number, groups: number): SmallPlan {
  return modulePlan(kernel(rounds), { table: 4 * length, results: 16 * groups }, 4, [groups, 1, 1]);
}

function compiledBy(compiler: SimulationCompiler, plan: SmallPlan, recording: Recording): CompiledSimulation {
  const result = compiler.compile(plan, recording);
  if (!result.ok) throw new Error('The kernel was not compiled.');
  return result.compiled;
}

const countedText = ({ codes, passes }: CompiledSimulation): string => codes[passes[0]!.texts.counted]!;

/** How often each access happens, by its place, where the table holds `held`. */
function countsOf(simulation: CompiledSimulation, plan: SmallPlan, held: readonly number[]): Record<string, number> {
  const buffers = plan.buffers.map(({ byteLength }, index) => {
    const words = new Int32Array(byteLength / 4);
    if (index === 0) words.set(held);
    return words.buffer;
  });
  const rest = { subgroupSize: 32, provenance: null, watch: null };
  const [pass] = finish(simulation, { buffers, requests: all(plan, 'counted'), ...rest }).passes;
  return Object.fromEntries(pass!.sites.map(({ kind, span }, at) => [`${kind} ${span.start}`, pass!.siteCounts[at]!]));
}

describe('a plan that is compiled after a larger one of its kernel', () => {
  it.each([
    ['a constant', '3u', true],
    ['which workgroup it is', 'group.x + 2u', true],
    ['how many workgroups there are', 'groups.x', true],
    ['the length of a buffer', 'arrayLength(&table)', false],
    ['what a buffer holds at its end, or beyond it', 'table[lane + 6u]', false],
  ])('counts as if it were compiled alone where the rounds are %s', (_, rounds, shares) => {
    const [large, small] = [smallPlan(rounds, 64, 8), smallPlan(rounds, 8, 2)];
    const compiler = new SimulationCompiler();
    const first = compiledBy(compiler, large, bare);
    const second = compiledBy(compiler, small, counting);
    const held = [0, 1, 2, 3, 4, 5, 6, 2];
    expect(countsOf(second, small, held)).toEqual(countsOf(compiled(small, counting), small, held));
    expect(countedText(second) === countedText(first)).toBe(shares);
  });

  it('is not given the text of a smaller one', () => {
    const [small, large] = [smallPlan('group.x + 2u', 8, 1), smallPlan('group.x + 2u', 8, 4)];
    const compiler = new SimulationCompiler();
    compiledBy(compiler, small, bare);
    const second = compiledBy(compiler, large, counting);
    expect(countsOf(second, large, [])).toEqual(countsOf(compiled(large, counting), large, []));
  });
});
