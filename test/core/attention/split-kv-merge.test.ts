import { describe, expect, it } from 'vitest';
import { bench, distance, tokens } from './run-reference.js';

const size = { batch: 2, heads: 2, seqlen: 3, seqlenK: 24, headDim: 8 };

describe('the merge of split keys', () => {
  it('is attention over all keys, from attention over parts of them', () => {
    const { inputs, run } = bench('softmax-attention', 'decode', size, { causal: false });
    const cuts = [0, 5, 6, 16, 24];
    const found = cuts.slice(1).map((to, part) => {
      const from = cuts[part]!;
      const { run: runPart } = bench('softmax-attention', 'decode', { ...size, seqlenK: to - from }, { causal: false });
      return runPart({
        q: inputs.q!,
        k: tokens(inputs.k!, size.seqlenK, size.headDim, from, to),
        v: tokens(inputs.v!, size.seqlenK, size.headDim, from, to),
      });
    });
    const joined = (name: 'o' | 'lse'): Float32Array =>
      Float32Array.from(found.flatMap((outputs) => Array.from(outputs[name]!.values)));
    const { batch, heads, seqlen, headDim } = size;
    const merge = bench('split-kv-merge', 'forward', { parts: 4, batch, heads, seqlen, headDimV: headDim }, {});
    const merged = merge.run({ o_parts: joined('o'), lse_parts: joined('lse') });
    const whole = run(inputs);
    expect(distance(merged.o!.values, whole.o!.values)).toBeLessThan(1e-6);
    expect(distance(merged.lse!.values, whole.lse!.values)).toBeLessThan(1e-6);
  });

  const shape = { parts: 3, batch: 1, heads: 2, seqlen: 1, headDimV: 4 };

  it('does not depend on the order of the parts', () => {
    const { inputs, run } = bench('split-kv-merge', 'forward', shape, {});
    const turned = (values: Float32Array): Float32Array => {
      const part = values.length / 3;
      return Float32Array.from(values, (_, at) => values[(at + part) % values.length]!);
    };
    const expected = run(inputs);
    const found = run({ o_parts: turned(inputs.o_parts!), lse_parts: turned(inputs.lse_parts!) });
    expect(distance(found.o!.values, expected.o!.values)).toBeLessThan(1e-14);
    expect(distance(found.lse!.values, expected.lse!.values)).toBeLessThan(1e-14);
  });

  it.each([-1e30, -3e38, -Infinity])('lets a part with an lse of %s count nothing, whatever it holds', (lse) => {
    const { inputs, run } = bench('split-kv-merge', 'forward', shape, {});
    const [o, partLse] = [inputs.o_parts!.slice(), inputs.lse_parts!.slice()];
    o.fill(NaN, 8, 16);
    partLse.fill(lse, 2, 4);
    const two = bench('split-kv-merge', 'forward', { ...shape, parts: 2 }, {});
    const without = (values: Float32Array): Float32Array => {
      const part = values.length / 3;
      return Float32Array.from([...values.subarray(0, part), ...values.subarray(2 * part)]);
    };
    const expected = two.run({ o_parts: without(o), lse_parts: without(partLse) });
    const found = run({ o_parts: o, lse_parts: partLse });
    expect(found.o!.values).toEqual(expected.o!.values);
    expect(found.lse!.values).toEqual(expected.lse!.values);
  });

  it('is zero and minus infinity where no part has a key', () => {
    const { inputs, run } = bench('split-kv-merge', 'forward', shape, { partsKind: 'empty' });
    const { o, lse } = run(inputs);
    expect([...o!.values]).toEqual(Array.from({ length: 8 }, () => 0));
    expect([...o!.exactRows!]).toEqual([0, 1]);
    expect([...lse!.values]).toEqual([-Infinity, -Infinity]);
  });

  it('computes evenly spread rows where all would cost too much', () => {
    const { inputs, run } = bench('split-kv-merge', 'forward', { ...shape, heads: 40 }, {});
    const { o, lse } = run(inputs, 'f64', 60);
    expect([...o!.rows!]).toEqual([0, 13, 26, 39]);
    expect(o!.values.subarray(4, 8)).toEqual(run(inputs).o!.values.subarray(52, 56));
    expect([lse!.values[13], lse!.values[14]]).toEqual([run(inputs).lse!.values[13], NaN]);
  });
});
