import type { GoldenOperation, Options, OptionValue, Shape } from './mechanism.js';

/** The sizes of the tensors of a golden case, by their names there. */
export type GoldenSizes = Readonly<Record<string, readonly number[]>>;

/** A golden case's window, with -1 (unlimited) for a side it does not give. */
export function goldenWindow(value: unknown): OptionValue {
  const [left, right] = Array.isArray(value) ? (value as readonly unknown[]) : [];
  return [typeof left === 'number' ? left : -1, typeof right === 'number' ? right : -1];
}

/** A golden parameter as an option of the catalogue; nothing where the case leaves it out, so that the default holds. */
export function goldenOption(name: string, value: unknown): Options {
  return typeof value === 'number' || typeof value === 'string' || typeof value === 'boolean' ? { [name]: value } : {};
}

/** The shape of a case whose inputs are q, k and v of [batch, heads, seqlen, headDim]. */
export function goldenAttentionShape({ q = [], k = [], v = [] }: GoldenSizes): Shape {
  return {
    batch: q[0] ?? 1,
    heads: q[1] ?? 1,
    headsKv: k[1] ?? 1,
    seqlen: q[2] ?? 1,
    seqlenK: k[2] ?? 1,
    headDim: q[3] ?? 1,
    headDimV: v[3] ?? 1,
  };
}

/**
 * An operation whose cases have the shape of q, k and v and set nothing but the scale: what made its other inputs (the
 * kind of slopes or of gates) does not matter, because they are given.
 */
export const scaledAttention: GoldenOperation = {
  shape: goldenAttentionShape,
  options: ({ scale }) => goldenOption('scale', scale),
};
