import { describe, expect, it } from 'vitest';
import { readSafetensors } from '../../../src/core/numerics/safetensors.js';

function file(header: string, data = new Uint8Array(0), declared = header.length): ArrayBuffer {
  const bytes = new Uint8Array(8 + header.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(declared), true);
  bytes.set(new TextEncoder().encode(header), 8);
  bytes.set(data, 8 + header.length);
  return bytes.buffer;
}

function message(buffer: ArrayBuffer): string {
  const result = readSafetensors(buffer);
  if (result.ok) throw new Error('The file was read.');
  return result.message;
}

const data = new Uint8Array(Float32Array.of(1, 2.5, -3).buffer);

describe('a safetensors file', () => {
  it('gives its tensors, whatever their alignment', () => {
    const header = JSON.stringify({
      __metadata__: { by: 'a test' },
      a: { dtype: 'F32', shape: [3], data_offsets: [1, 13] },
      b: { dtype: 'F64', shape: [1, 1], data_offsets: [13, 21] },
      c: { dtype: 'I32', shape: [2, 1], data_offsets: [21, 29] },
    });
    const bytes = new Uint8Array(29);
    bytes.set(data, 1);
    bytes.set(new Uint8Array(Float64Array.of(Math.PI).buffer), 13);
    bytes.set(new Uint8Array(Int32Array.of(-7, 9).buffer), 21);
    const result = readSafetensors(file(header, bytes));
    if (!result.ok) throw new Error(result.message);
    expect([...result.tensors.keys()]).toEqual(['a', 'b', 'c']);
    expect(result.tensors.get('a')).toEqual({ dims: [3], values: Float32Array.of(1, 2.5, -3) });
    expect(result.tensors.get('b')).toEqual({ dims: [1, 1], values: Float64Array.of(Math.PI) });
    expect(result.tensors.get('c')).toEqual({ dims: [2, 1], values: Int32Array.of(-7, 9) });
  });

  it('says what is wrong with one that cannot be read', () => {
    expect(message(new ArrayBuffer(3))).toMatch(/3 bytes, too few/);
    expect(message(file('{}', data, 1e9))).toMatch(/1000000000 bytes.*cut short/);
    expect(message(file('{nonsense'))).toMatch(/no JSON/);
    expect(message(file('[1]'))).toMatch(/no JSON object/);
    expect(message(file('{"a": 3}'))).toMatch(/nothing readable about tensor a/);
    expect(message(file('{"a": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}}', data))).toMatch(
      /Tensor a has the format BF16; .*F32, F64, I32/,
    );
    expect(message(file('{"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}', data))).toMatch(
      /no readable shape/,
    );
    expect(message(file('{"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 12]}}', data))).toMatch(
      /F32 \[4\] needs 16 bytes.*damaged/,
    );
    expect(message(file('{"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}', data))).toMatch(/damaged/);
  });
});
