import { describe, expect, it } from 'vitest';
import { parseOptions, parseSeed, parseShape } from '../../src/cli/arguments.js';
import { bytesText, duration, paintFor, settings, short, table } from '../../src/cli/text.js';
import { dawnFlags } from '../../src/native/dawn.js';

describe('arguments', () => {
  it('read shapes', () => {
    expect(parseShape('seqlen=300,headDim=64')).toEqual({ seqlen: 300, headDim: 64 });
    expect(() => parseShape('seqlen=1.5')).toThrow(/positive integer/);
    expect(() => parseShape('')).toThrow(/name=value/);
  });

  it('read options of every kind', () => {
    expect(parseOptions('causal=false,window=[15,-1],feature=silu,scale=1e-2')).toEqual({
      causal: false,
      window: [15, -1],
      feature: 'silu',
      scale: 0.01,
    });
    expect(() => parseOptions('scale=')).toThrow(/unreadable/);
  });

  it('read seeds', () => {
    expect(parseSeed('42')).toBe(42);
    expect(() => parseSeed('4294967296')).toThrow(/--seed/);
  });

  it('read flags for Dawn, whose values contain commas', () => {
    expect(dawnFlags('backend=vulkan; enable-dawn-features=a,b')).toEqual([
      'backend=vulkan',
      'enable-dawn-features=a,b',
    ]);
    expect(dawnFlags('disable_robustness')).toEqual(['enable-dawn-features=disable_robustness']);
    expect(dawnFlags('')).toEqual([]);
    expect(dawnFlags(undefined)).toEqual(['disable-dawn-features=timestamp_quantization']);
  });
});

describe('text', () => {
  it('aligns columns by what is seen, not by what paints it', () => {
    const paint = (text: string): string => `<${text}>`;
    const rows = [
      [{ text: 'a', paint }, { text: '10', align: 'right' as const }, { text: 'x' }],
      [{ text: 'long' }, { text: '9', align: 'right' as const }, { text: '' }],
    ];
    expect(table(rows, ' ')).toBe(' <a>     10  x\n long   9');
  });

  it('shortens numbers, times and sizes', () => {
    expect([short(null), short(0), short(1.23456e-7), short(0.5), short(12345)]).toEqual([
      '-',
      '0',
      '1.2e-7',
      '0.5',
      '12300',
    ]);
    expect([duration(12), duration(1500), duration(2.5e6), duration(3e9)]).toEqual([
      '12 ns',
      '1.50 µs',
      '2.50 ms',
      '3.00 s',
    ]);
    expect([bytesText(100), bytesText(32768), bytesText(2 ** 30)]).toEqual(['100 bytes', '32 KiB', '1 GiB']);
    expect(settings({ seqlen: 8192, scale: Math.SQRT1_2 })).toBe('seqlen=8192 scale=0.707');
    expect(settings({ seqlen: 9, causal: true, window: [1, 2], kind: 'alibi' })).toBe(
      'seqlen=9 causal=true window=[1,2] kind=alibi',
    );
  });

  it('is plain where colours are not wanted', () => {
    const terminal = { isTTY: true };
    expect(paintFor(terminal, {}).bad('x')).toBe('\u001b[31mx\u001b[0m');
    expect(paintFor(terminal, { NO_COLOR: '1' }).bad('x')).toBe('x');
    expect(paintFor({ isTTY: false }, {}).bad('x')).toBe('x');
    expect(paintFor({ isTTY: false }, { FORCE_COLOR: '1' }).bad('x')).toContain('x\u001b');
  });
});
