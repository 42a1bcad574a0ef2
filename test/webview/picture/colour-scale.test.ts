import { describe, expect, it } from 'vitest';
import { errorScale, fromOklch, rampColour, type Ground, type Rgb } from '../../../src/webview/picture/colour-scale.js';

/** CIE lightness (0–100) of an sRGB colour. */
function lightness(colour: Rgb): number {
  const [r, g, b] = colour.map((byte) => {
    const value = byte / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  const y = 0.2126 * r + 0.7152 * g + 0.0722 * b;
  return y > 0.008856 ? 116 * Math.cbrt(y) - 16 : 903.3 * y;
}

describe('the error colours', () => {
  it('knows OKLab: white, black and a grey', () => {
    expect(fromOklch(1, 0, 0)).toEqual([255, 255, 255]);
    expect(fromOklch(0, 0, 0)).toEqual([0, 0, 0]);
    expect(fromOklch(0.5999, 0, 0)).toEqual([128, 128, 128]);
  });

  it.each<Ground>(['dark', 'light'])('runs evenly away from a %s ground', (ground) => {
    const steps = Array.from({ length: 21 }, (_, i) => lightness(rampColour(i / 20, 0.5, ground)));
    const differences = steps.slice(1).map((value, i) => (value - steps[i]!) * (ground === 'dark' ? 1 : -1));
    expect(Math.min(...differences)).toBeGreaterThan(0);
    expect(Math.max(...differences)).toBeLessThan(12);
  });

  it.each<Ground>(['dark', 'light'])('changes from blue to red and yellow at the limit on a %s ground', (ground) => {
    const within = rampColour(0.49, 0.5, ground);
    const beyond = rampColour(0.52, 0.5, ground);
    expect(within[2]).toBeGreaterThan(within[0]);
    expect(beyond[0]).toBeGreaterThan(beyond[2] + 60);
  });

  it('always shows the limit with a decade on either side', () => {
    const scale = errorScale(1e-8, 1e-7, 1e-4, 'dark');
    expect(scale.low).toBeLessThanOrEqual(1e-8);
    expect(scale.high).toBeGreaterThanOrEqual(2e-4);
    expect(scale.position(1e-4)).toBeGreaterThan(0);
    expect(scale.position(1e-4)).toBeLessThan(1);
  });

  it('puts an error of zero at the foot and spans at most nine decades', () => {
    const scale = errorScale(1e-30, 10, 1e-3, 'dark');
    expect(scale.position(0)).toBe(0);
    expect(scale.high / scale.low).toBeLessThanOrEqual(1.0001e10);
    expect(scale.ticks.length).toBeLessThanOrEqual(8);
  });

  it('survives a report without any error and without a limit', () => {
    const scale = errorScale(0, 0, 0, 'light');
    expect(scale.low).toBeGreaterThan(0);
    expect(scale.high).toBeGreaterThan(scale.low);
  });
});
