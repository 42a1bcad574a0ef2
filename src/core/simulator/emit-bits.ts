import type { Scalar } from '../wgsl/types.js';
import { computed, type Component, type Components, type Range } from './component.js';
import { joinTags } from './emit-tags.js';
import type { FunctionContext } from './emit-context.js';

/** Bit functions of integers, component by component. Codes of the arguments may be repeated. */
const perLane: Readonly<Record<string, (x: readonly string[], signed: boolean) => string>> = {
  countOneBits: ([x]) => `countOneBits(${x!})`,
  countLeadingZeros: ([x]) => `Math.clz32(${x!})`,
  countTrailingZeros: ([x]) => `(${x!} === 0 ? 32 : 31 - Math.clz32(${x!} & -${x!}))`,
  firstLeadingBit: ([x], signed) => `(31 - Math.clz32(${signed ? `${x!} ^ (${x!} >> 31)` : x!}))`,
  firstTrailingBit: ([x]) => `(${x!} === 0 ? -1 : 31 - Math.clz32(${x!} & -${x!}))`,
  reverseBits: ([x]) => `reverseBits(${x!})`,
  extractBits: ([x, offset, count], signed) => `extractBits(${x!}, ${offset!}, ${count!}, ${signed})`,
  insertBits: ([x, bits, offset, count]) => `insertBits(${x!}, ${bits!}, ${offset!}, ${count!})`,
};

const smallResults: Readonly<Record<string, Range>> = {
  countOneBits: { low: 0, high: 32 },
  countLeadingZeros: { low: 0, high: 32 },
  countTrailingZeros: { low: 0, high: 32 },
};

/** How a float becomes an integer of a packed word: scale, bits, and the least value. */
const packings: Readonly<Record<string, { readonly bits: number; readonly scale: number; readonly low: number }>> = {
  pack4x8snorm: { bits: 8, scale: 127, low: -1 },
  pack4x8unorm: { bits: 8, scale: 255, low: 0 },
  pack2x16snorm: { bits: 16, scale: 32767, low: -1 },
  pack2x16unorm: { bits: 16, scale: 65535, low: 0 },
};

const unpackings: Readonly<
  Record<string, { readonly bits: number; readonly scale: number; readonly signed: boolean }>
> = {
  unpack4x8snorm: { bits: 8, scale: 127, signed: true },
  unpack4x8unorm: { bits: 8, scale: 255, signed: false },
  unpack2x16snorm: { bits: 16, scale: 32767, signed: true },
  unpack2x16unorm: { bits: 16, scale: 65535, signed: false },
};

const has = (table: object, name: string): boolean => Object.hasOwn(table, name);

/** The field of a word as code: sign-extended or not. */
function field(word: string, bits: number, at: number, signed: boolean): string {
  const up = 32 - bits * (at + 1);
  const moved = up === 0 ? word : `${word} << ${up}`;
  return `((${moved}) ${signed ? '>>' : '>>>'} ${32 - bits})`;
}

function packed(fields: readonly string[], bits: number): Component {
  const mask = 2 ** bits - 1;
  return computed(`(${fields.map((code, at) => `(${code} & ${mask}) << ${bits * at}`).join(' | ')})`);
}

/**
 * Bit counting, packing and packed dot products. Null where the name is none of them. A packed word carries the tag
 * that all its fields have together; what is unpacked from a word carries the word's.
 */
export function bitBuiltins(
  name: string,
  args: readonly Components[],
  scalar: Scalar,
  context: FunctionContext,
): Components | null {
  const { writer } = context;
  const kept = args.map((parts) => parts.map((part) => writer.repeatable(part)));
  const [first, second] = kept;
  const lane = has(perLane, name) ? perLane[name] : undefined;
  if (lane) {
    return first!.map((_, at) => {
      const codes = kept.map((parts) => parts[parts.length === 1 ? 0 : at]!.code);
      return { ...computed(lane(codes, scalar === 'i32')), range: smallResults[name] ?? null };
    });
  }
  const tag = (first ?? []).reduce((all, part) => joinTags(all, part.tag, context), '0');
  const tagged = (component: Component): Component => ({ ...component, tag });
  const packing = has(packings, name) ? packings[name] : undefined;
  if (packing) {
    const { bits, scale, low } = packing;
    const fields = first!.map(({ code }) => `Math.floor(0.5 + ${scale} * Math.min(1, Math.max(${low}, ${code})))`);
    return [tagged(packed(fields, bits))];
  }
  const unpacking = has(unpackings, name) ? unpackings[name] : undefined;
  if (unpacking) {
    const { bits, scale, signed } = unpacking;
    const word = first![0]!.code;
    return Array.from({ length: 32 / bits }, (_, at) => {
      const value = `${field(word, bits, at, signed)} / ${scale}`;
      return tagged(computed(signed ? `fround(Math.max(${value}, -1))` : `fround(${value})`));
    });
  }
  const special = packedIntegers(name, first!, second ?? []);
  return special === null ? null : special.map(tagged);
}

function packedIntegers(name: string, first: Components, second: Components): Components | null {
  const word = first[0]!.code;
  const bytes = (code: string, signed: boolean): string[] => [0, 1, 2, 3].map((at) => field(code, 8, at, signed));
  switch (name) {
    case 'pack2x16float':
      return [
        packed(
          first.map(({ code }) => `f16bits(f16(${code}))`),
          16,
        ),
      ];
    case 'unpack2x16float':
      return [0, 1].map((at) => computed(`HT[${field(word, 16, at, false)}]`));
    case 'pack4xI8':
    case 'pack4xU8':
      return [
        packed(
          first.map(({ code }) => code),
          8,
        ),
      ];
    case 'pack4xI8Clamp':
      return [
        packed(
          first.map(({ code }) => `Math.min(127, Math.max(-128, ${code}))`),
          8,
        ),
      ];
    case 'pack4xU8Clamp':
      return [
        packed(
          first.map(({ code }) => `Math.min(255, ${code} >>> 0)`),
          8,
        ),
      ];
    case 'unpack4xI8':
    case 'unpack4xU8':
      return bytes(word, name === 'unpack4xI8').map((code) => computed(code));
    case 'dot4U8Packed':
    case 'dot4I8Packed': {
      const signed = name === 'dot4I8Packed';
      const [a, b] = [bytes(word, signed), bytes(second[0]!.code, signed)];
      return [computed(`(${a.map((code, at) => `${code} * ${b[at]!}`).join(' + ')} | 0)`)];
    }
    default:
      return null;
  }
}
