import { describe, expect, it } from 'vitest';
import type { Plan } from '../../src/core/kernel/model.js';
import { compile } from '../../src/gpu/compile.js';
import { limitFindings } from '../../src/gpu/limits.js';
import { load } from '../../src/gpu/run.js';
import { smallKernel } from '../lab/kernels.js';
import { patience, testDevice } from './dawn.js';
import { packedInputs, planOf } from './plans.js';

const open = await testDevice();

describe.skipIf(!open)('what a kernel needs and the device does not have', () => {
  const { plan } = planOf(smallKernel('good.wgsl').text);
  const [pass] = plan.passes;
  const [buffer] = plan.buffers;

  it('is nothing for a small kernel', () => {
    expect(limitFindings(plan, open!.description)).toEqual([]);
  });

  it.each([
    [{ features: ['shader-f16', 'time-travel'] }, /needs the feature "time-travel", which this device does not have/],
    [
      { passes: [{ ...pass!, workgroupSize: [2048, 1, 1] }] },
      /"main" needs 2048 invocations per workgroup, and .* has \d+/,
    ],
    [{ passes: [{ ...pass!, workgroupSize: [1, 1, 128] }] }, /"main" needs 128 invocations per workgroup along z/],
    [{ passes: [{ ...pass!, workgroupBytes: 2 ** 20 }] }, /"main" needs 1 MiB of workgroup memory/],
    [{ passes: [{ ...pass!, workgroups: [1, 70000, 1] }] }, /"main" needs 70000 workgroups in one dimension/],
    [
      { buffers: [{ ...buffer!, byteLength: 2 ** 17 }] },
      /"params" takes 128 KiB, and a uniform binding .* at most 64 KiB/,
    ],
    [{ buffers: [{ ...buffer!, group: 9 }] }, /"main" needs 10 bind groups/],
  ] satisfies [Partial<Plan>, RegExp][])('is told with both numbers: %#', (change, words) => {
    expect(limitFindings({ ...plan, ...change }, open!.description).join('\n')).toMatch(words);
  });
});

describe.skipIf(!open)('compiling', () => {
  it('gives overrides their values by name and by @id', async () => {
    const { text } = smallKernel('ids.wgsl', {
      frontMatter: 'constants: { FIRST: seqlen, SECOND: 4, FLAG: causal }',
      declarations: '@id(7) override FIRST: u32; override SECOND: f32 = 1.0; @id(9) override FLAG: bool = false;',
      store: 'o[at] = vec4f(f32(FIRST), SECOND, select(0.0, 1.0, FLAG), value.x);',
    });
    const { plan } = planOf(text);
    const ids = new Map([
      ['FIRST', 7],
      ['FLAG', 9],
    ]);
    const compiled = await compile(open!, plan, ids, patience);
    if (!compiled.ok) throw new Error(compiled.failure.message);
    const loaded = await load(
      open!,
      compiled.value,
      packedInputs(plan, () => 1),
      patience,
    );
    if (!loaded.ok) throw new Error(loaded.failure.message);
    const outputs = await loaded.value.run(patience);
    loaded.value.dispose();
    if (!outputs.ok) throw new Error(outputs.failure.message);
    const { bytes } = outputs.value[0]!;
    expect([...new Float32Array(bytes.buffer, bytes.byteOffset, 4)]).toEqual([9, 4, 1, 4]);
  });

  it('reports an entry point that the layout does not fit', async () => {
    const { plan } = planOf(smallKernel('good.wgsl').text);
    const buffers = plan.buffers.map((one) =>
      one.variable === 'o' ? { ...one, type: 'read-only-storage' as const } : one,
    );
    const result = await compile(open!, { ...plan, buffers }, new Map(), patience);
    expect(result).toMatchObject({ ok: false, failure: { kind: 'validation-error' } });
    if (!result.ok) expect(result.failure.message).toMatch(/"main" cannot be made into a pipeline/);
  });

  it('refuses inputs without values, and leaves no error behind', async () => {
    const { plan } = planOf(smallKernel('good.wgsl').text);
    const compiled = await compile(open!, plan, new Map(), patience);
    if (!compiled.ok) throw new Error(compiled.failure.message);
    const missing = await load(open!, compiled.value, new Map(), patience);
    expect(missing).toMatchObject({ ok: false, failure: { kind: 'internal' } });
    expect(open!.takeUncapturedErrors()).toEqual([]);
  });
});
