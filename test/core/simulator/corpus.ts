import { statementPrograms } from './corpus-statements.js';

/**
 * How near the device has to come: `exact`: the same bits. Else the most that two right results may differ, in units in
 * the last place of the larger one or absolutely, whichever allows more.
 */
export type Closeness = 'exact' | { readonly ulp: number; readonly absolute: number };

/** A small program: a WGSL function of up to three values of each kind that gives the bits of its result. */
export interface Program {
  readonly name: string;
  readonly features: readonly string[];
  /** Declarations at module scope; every name in them ends in `_N`, which is replaced by the program's number. */
  readonly declarations: string;
  /** Statements that end with `return` of a u32, over f0 f1 f2 (f32), i0 i1 (i32), u0 u1 (u32) and lane. */
  readonly body: string;
  /** How to read the u32: as what it was made from. */
  readonly result: 'f32' | 'f16' | 'u32';
  readonly closeness: Closeness;
}

/** Rows of values that every program runs on. */
export const rows = 64;

const interestingFloats = [
  0, 1, -1, 0.5, -0.5, 1.5, 2.5, -2.5, 3.75, 0.1, -0.3, 7, 100.25, -64, 1e-3, 12345.678, 0.9999999, -1e5, 2, 3, 1e-6,
  0.25,
];
const interestingIntegers = [
  0, 1, -1, 2, 7, -8, 31, 32, 33, 255, 65535, -65536, 0x7fffffff, -0x80000000, 12345, -99999, 4, 16,
];

/** Values of row `row` for slot `slot`: all combinations come up over the rows. */
function pick<T>(from: readonly T[], row: number, slot: number): T {
  return from[(row * (slot * 2 + 1) + slot * 5) % from.length]!;
}

/** The input buffer: for each row f0 f1 f2 (as bits), i0 i1, u0 u1, and a word left free. */
export function inputWords(): Int32Array<ArrayBuffer> {
  const words = new Int32Array(rows * 8);
  const floats = new Float32Array(words.buffer);
  for (let row = 0; row < rows; row++) {
    for (let slot = 0; slot < 3; slot++) floats[row * 8 + slot] = pick(interestingFloats, row, slot);
    for (let slot = 0; slot < 4; slot++) words[row * 8 + 3 + slot] = pick(interestingIntegers, row, slot + 1);
  }
  return words;
}

const near = (ulp: number, absolute = 0): Closeness => ({ ulp, absolute });

/**
 * Expressions of f32 with WGSL's bounds ("Accuracy of concrete floating-point expressions"). What WGSL derives from
 * other operations is bounded by those with room for both sides' errors.
 */
const floatExpressions: readonly (readonly [string, Closeness])[] = [
  ['f0 + f1', 'exact'],
  ['f0 - f1', 'exact'],
  ['f0 * f1', 'exact'],
  ['-f0', 'exact'],
  ['abs(f0)', 'exact'],
  ['ceil(f0)', 'exact'],
  ['floor(f0)', 'exact'],
  ['round(f0)', 'exact'],
  ['round(f0 * 0.5)', 'exact'],
  ['trunc(f0)', 'exact'],
  ['sign(f0)', 'exact'],
  ['saturate(f0)', 'exact'],
  ['min(f0, f1)', 'exact'],
  ['max(f0, f1)', 'exact'],
  ['clamp(f0, -1.0, 2.0)', 'exact'],
  ['step(f0, f1)', 'exact'],
  ['select(f0, f1, f0 < f2)', 'exact'],
  ['f32(i0)', 'exact'],
  // WGSL says that one of the two neighbours is taken, not which.
  ['f32(u0)', near(1)],
  ['f32(f0 > f1)', 'exact'],
  ['bitcast<f32>(bitcast<u32>(f0) ^ 0x80000000u)', 'exact'],
  // One unit of an f16: how it is rounded, and whether small ones become zero, is left open.
  ['quantizeToF16(f0)', near(2 ** 13, 2 ** -14)],
  ['ldexp(f0, i0 & 7)', 'exact'],
  ['fract(f0)', near(1, 2 ** -22)],
  ['f0 / f1', near(2.5)],
  ['f0 % (abs(f1) + 1.0)', near(4, 2 ** -6)],
  ['modf(f0).whole', 'exact'],
  ['modf(f0).fract', near(1, 2 ** -22)],
  ['frexp(f0).fract', 'exact'],
  ['fma(f0, f1, f2)', near(2, 2 ** -6)],
  ['mix(f0, f1, 0.25)', near(4, 2 ** -6)],
  ['sqrt(abs(f0))', near(3, 2 ** -22)],
  ['inverseSqrt(abs(f0) + 0.125)', near(2)],
  ['exp(min(f0, 8.0))', near(19, 2 ** -20)],
  ['exp2(clamp(f0, -20.0, 10.0))', near(23, 2 ** -20)],
  ['log(abs(f0) + 0.125)', near(3, 2 ** -21)],
  ['log2(abs(f0) + 0.125)', near(3, 2 ** -21)],
  ['pow(abs(f0) + 0.5, clamp(f1, -2.0, 2.0))', near(256, 2 ** -16)],
  ['sin(clamp(f0, -3.0, 3.0))', near(0, 2 ** -11)],
  ['cos(clamp(f0, -3.0, 3.0))', near(0, 2 ** -11)],
  ['tan(clamp(f0, -1.0, 1.0))', near(0, 2 ** -8)],
  ['asin(clamp(f0, -1.0, 1.0))', near(4096, 6.77e-5)],
  ['acos(clamp(f0, -1.0, 1.0))', near(4096, 6.77e-5)],
  ['atan(f0)', near(4096, 2 ** -20)],
  ['atan2(f0, abs(f1) + 0.5)', near(4096, 2 ** -20)],
  ['sinh(clamp(f0, -4.0, 4.0))', near(64, 2 ** -16)],
  ['cosh(clamp(f0, -4.0, 4.0))', near(64, 2 ** -18)],
  ['tanh(clamp(f0, -4.0, 4.0))', near(128, 2 ** -16)],
  ['asinh(clamp(f0, -8.0, 8.0))', near(4096, 2 ** -12)],
  ['acosh(abs(f0) + 1.0)', near(4096, 2 ** -10)],
  ['atanh(clamp(f0, -0.9, 0.9))', near(64, 2 ** -18)],
  ['degrees(f0)', near(2)],
  ['radians(f0)', near(2)],
  ['smoothstep(-2.0, 3.0, f0)', near(16, 2 ** -20)],
  ['dot(vec2(f0, f1), vec2(f2, 1.0))', near(4, 2 ** -4)],
  ['dot(vec3(f0, f1, f2), vec3(f1, 0.5, 2.0))', near(8, 2 ** -3)],
  ['dot(vec4(f0, f1, f2, 1.0), vec4(0.25, 0.5, 1.0, 2.0))', near(8, 2 ** -4)],
  ['length(vec3(f0, f1, f2))', near(8)],
  ['length(f0)', near(4, 2 ** -22)],
  ['distance(vec2(f0, f1), vec2(f1, f2))', near(8)],
  ['distance(f0, f1)', near(4, 2 ** -20)],
  ['normalize(vec3(f0, f1, 0.5)).y', near(16, 2 ** -20)],
  ['cross(vec3(f0, f1, 1.0), vec3(2.0, f2, 0.5)).z', near(8, 2 ** -4)],
  ['cross(vec3(1.0, 2.0, 4.0), vec3(f0, 0.5, 8.0)).y', near(4, 2 ** -18)],
  ['reflect(vec2(f0, f1), vec2(0.6, 0.8)).x', near(32, 2 ** -6)],
  ['refract(vec2(0.6, -0.8), vec2(0.0, 1.0), 0.75).y', near(32, 2 ** -18)],
  ['faceForward(vec2(f0, 1.0), vec2(f1, 0.0), vec2(1.0, 0.0)).x', 'exact'],
  ['determinant(mat2x2(f0, 2.0, 3.0, 0.5))', near(8, 2 ** -4)],
  ['determinant(mat3x3(f0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0))', near(64, 2 ** -3)],
  ['(mat2x3(f0, 1.0, 2.0, 3.0, 4.0, 5.0) * vec2(0.5, 2.0)).z', 'exact'],
  ['(vec3(0.5, 1.0, 2.0) * mat2x3(f0, 1.0, 2.0, 3.0, 4.0, 5.0)).x', near(4, 2 ** -8)],
  ['(mat2x2(1.0, 2.0, 3.0, 4.0) * mat2x2(5.0, 6.0, 7.0, 8.0))[1].x', 'exact'],
  ['transpose(mat2x3(f0, f1, f2, 3.0, 4.0, 5.0))[1].y', 'exact'],
  ['(mat2x2(f0, 2.0, 3.0, 4.0) + mat2x2(1.0, 1.0, 1.0, 1.0))[0].x', 'exact'],
  ['(2.0 * mat2x2(f0, 2.0, 3.0, 4.0))[0].x', 'exact'],
  ['unpack2x16float(pack2x16float(vec2(f0 * 0.001, f1 * 0.001))).y', near(0, 2 ** -9)],
  ['unpack4x8snorm(u0).z', near(4, 2 ** -24)],
  ['unpack4x8unorm(u0).w', near(4, 2 ** -24)],
  ['unpack2x16snorm(u0).x', near(4, 2 ** -24)],
  ['unpack2x16unorm(u0).y', near(4, 2 ** -24)],
  ['unpack2x16float(u0 & 0x3bff3bffu).x', 'exact'],
  ['vec4(f0, f1, f2, 4.0).wzyx.y', 'exact'],
  ['(vec3(f0, f1, f2) + 1.0).z', 'exact'],
  ['(2.0 * vec3(f0, f1, f2)).y', 'exact'],
  ['vec3(f0, f1, f2)[u0 % 3u]', 'exact'],
];

const signedExpressions: readonly string[] = [
  'i0 + i1',
  'i0 - i1',
  'i0 * i1',
  'i0 / i1',
  'i0 % i1',
  'i0 / 7',
  'i0 % -3',
  '-i0',
  '~i0',
  'i0 & i1',
  'i0 | i1',
  'i0 ^ i1',
  'i0 << (u0 & 31u)',
  'i0 >> (u0 & 31u)',
  'abs(i0)',
  'sign(i0)',
  'min(i0, i1)',
  'max(i0, i1)',
  'clamp(i0, -5, 5)',
  'select(i0, i1, i0 > i1)',
  'i32(u0)',
  'i32(f0)',
  'i32(f0 * 100000.0)',
  'i32(i0 <= i1)',
  'bitcast<i32>(f0)',
  'countOneBits(i0)',
  'countLeadingZeros(i0)',
  'countTrailingZeros(i0)',
  'firstLeadingBit(i0)',
  'firstTrailingBit(i0)',
  'reverseBits(i0)',
  'extractBits(i0, 3u, 5u)',
  'extractBits(i0, u0, u1)',
  'insertBits(i0, i1, 4u, 9u)',
  'dot(vec3(i0, 2, 3), vec3(4, i1, 5))',
  'dot4I8Packed(u0, u1)',
  'unpack4xI8(u0).z',
  'frexp(f0).exp',
  'vec2(i0, i1).yx.x',
  '(vec4(i0) * vec4(1, 2, 3, 4)).w',
  'select(vec2(i0), vec2(i1), vec2(true, false)).y',
];

const unsignedExpressions: readonly string[] = [
  'u0 + u1',
  'u0 - u1',
  'u0 * u1',
  'u0 / u1',
  'u0 % u1',
  'u0 / 8u',
  'u0 % 8u',
  'u0 / 10u',
  'u0 % 10u',
  '~u0',
  'u0 & u1',
  'u0 | u1',
  'u0 ^ u1',
  'u0 << (u1 & 31u)',
  'u0 >> (u1 & 31u)',
  'u0 << 3u',
  'u0 >> 3u',
  'abs(u0)',
  'min(u0, u1)',
  'max(u0, u1)',
  'clamp(u0, 3u, 100u)',
  'u32(i0)',
  'u32(f0)',
  'u32(f0 * 100000.0)',
  'u32(u0 < u1)',
  'u32(u0 >= u1)',
  'u32(i0 < i1)',
  'u32(f0 == f1)',
  'u32(f0 != f1)',
  'u32(f0 <= f1)',
  'u32(bool(i0))',
  'u32(bool(f0))',
  'u32(!(u0 == u1))',
  'u32(u0 < u1 && i0 < i1)',
  'u32(u0 < u1 || i0 < i1)',
  'u32((u0 < u1) & (i0 < i1))',
  'u32((u0 < u1) | (i0 < i1))',
  'u32((u0 < u1) != (i0 < i1))',
  'u32(all(vec3(f0, f1, f2) < vec3(2.0)))',
  'u32(any(vec3(u0, u1, 3u) == vec3(3u)))',
  'u32(all(u0 < u1))',
  'bitcast<u32>(vec2(f0, f1).y)',
  'countOneBits(u0)',
  'countLeadingZeros(u0)',
  'countTrailingZeros(u0)',
  'firstLeadingBit(u0)',
  'firstTrailingBit(u0)',
  'reverseBits(u0)',
  'extractBits(u0, 3u, 5u)',
  'extractBits(u0, u1, 7u)',
  'insertBits(u0, u1, 4u, 9u)',
  'insertBits(u0, u1, 0u, 32u)',
  'dot(vec4(u0, 2u, 3u, 4u), vec4(u1, 6u, 7u, 8u))',
  'dot4U8Packed(u0, u1)',
  // No ties: WGSL's formula rounds -63.5 up, Vulkan's drivers down.
  'pack4x8snorm(vec4(f0 * 0.9, f1 * 0.9, 0.5, -0.25))',
  'pack4x8unorm(vec4(f0, f1, 0.5, 1.0))',
  'pack2x16snorm(vec2(f0 * 0.9, 0.5))',
  'pack2x16unorm(vec2(f0, 0.5))',
  'pack2x16float(vec2(f0 * 0.125, 1.5))',
  'pack4xI8(vec4(i0, i1, -3, 4))',
  'pack4xU8(vec4(u0, u1, 3u, 4u))',
  'pack4xI8Clamp(vec4(i0, i1, -3, 400))',
  'pack4xU8Clamp(vec4(u0, u1, 3u, 400u))',
  'unpack4xU8(u0).y',
  'select(u0, u1, true)',
  'vec3(u0, u1, 9u).zxy.y',
  'array(u0, u1, 7u)[u1 % 3u]',
  'u32(select(vec2(false), vec2(true), vec2(i0 < i1, u0 < u1)).x)',
];

/** The 16-bit forms of what attention kernels use: each operation is rounded to f16. */
const halfExpressions: readonly (readonly [string, Closeness])[] = [
  ['h0 + h1', 'exact'],
  ['h0 - h1', 'exact'],
  ['h0 * h1', 'exact'],
  ['-h0', 'exact'],
  ['abs(h0)', 'exact'],
  ['floor(h0)', 'exact'],
  ['round(h0)', 'exact'],
  ['min(h0, h1)', 'exact'],
  ['max(h0, h1)', 'exact'],
  ['f16(i0 & 1023)', 'exact'],
  ['f16(u0 & 1023u)', 'exact'],
  ['f16(f0 * 0.01)', near(1)],
  ['select(h0, h1, h0 < h1)', 'exact'],
  ['clamp(h0, -1.0h, 1.0h)', 'exact'],
  ['h0 / (abs(h1) + 1.0h)', near(3)],
  ['fma(h0, h1, 1.0h)', near(2, 2 ** -6)],
  ['sqrt(abs(h0))', near(3, 2 ** -10)],
  ['exp(min(h0, 4.0h))', near(14, 2 ** -10)],
  ['exp2(clamp(h0, -4.0h, 4.0h))', near(14, 2 ** -10)],
  ['log2(abs(h0) + 0.125h)', near(4, 2 ** -7)],
  ['tanh(clamp(h0, -3.0h, 3.0h))', near(16, 2 ** -7)],
  ['dot(vec2(h0, 0.5h), vec2(h1, 2.0h))', near(4, 2 ** -2)],
  ['(vec3(h0, h1, 1.0h) * 2.0h).y', 'exact'],
  ['f16(quantizeToF16(f0 * 0.01))', 'exact'],
  ['bitcast<vec2<f16>>(u0 & 0x3bff3bffu).y', 'exact'],
];

function expressionPrograms(): Program[] {
  const program = (name: string, body: string, more: Partial<Program>): Program => ({
    name,
    features: [],
    declarations: '',
    body,
    result: 'u32',
    closeness: 'exact',
    ...more,
  });
  const half = 'let h0 = f16(clamp(f0, -100.0, 100.0)); let h1 = f16(clamp(f1, -100.0, 100.0));';
  return [
    ...floatExpressions.map(([text, closeness]) =>
      program(text, `return bitcast<u32>(${text});`, { result: 'f32', closeness }),
    ),
    ...signedExpressions.map((text) => program(text, `return bitcast<u32>(${text});`, {})),
    ...unsignedExpressions.map((text) => program(text, `return ${text};`, {})),
    ...halfExpressions.map(([text, closeness]) =>
      program(text, `${half} return bitcast<u32>(vec2<f16>(${text}, 0.0h));`, {
        features: ['shader-f16'],
        result: 'f16',
        closeness,
      }),
    ),
  ];
}

/** Every program of the corpus. */
export const corpus: readonly Program[] = [...expressionPrograms(), ...statementPrograms];

/** Several programs as one module: program p writes its result for row r to `results[p * rows + r]`. */
export function moduleOf(programs: readonly Program[]): string {
  const features = new Set(programs.flatMap((program) => program.features));
  const enables = [...features].map((name) => (name === 'shader-f16' ? 'enable f16;' : `enable ${name};`));
  const parameters = 'f0: f32, f1: f32, f2: f32, i0: i32, i1: i32, u0: u32, u1: u32, lane: u32';
  const functions = programs.map(({ declarations, body }, index) =>
    `${declarations}\nfn program_N(${parameters}) -> u32 {\n${body}\n}`.replaceAll('_N', `_${index}`),
  );
  const calls = programs.map(
    (_, index) => `results[${index * rows}u + row] = program_${index}(f0, f1, f2, i0, i1, u0, u1, row);`,
  );
  return `${enables.join('\n')}
@group(0) @binding(0) var<storage, read> inputs: array<u32>;
@group(0) @binding(1) var<storage, read_write> results: array<u32>;
${functions.join('\n')}
@compute @workgroup_size(${rows})
fn main(@builtin(local_invocation_index) row: u32) {
  let at = row * 8u;
  let f0 = bitcast<f32>(inputs[at]);
  let f1 = bitcast<f32>(inputs[at + 1u]);
  let f2 = bitcast<f32>(inputs[at + 2u]);
  let i0 = bitcast<i32>(inputs[at + 3u]);
  let i1 = bitcast<i32>(inputs[at + 4u]);
  let u0 = inputs[at + 5u];
  let u1 = inputs[at + 6u];
  ${calls.join('\n  ')}
}
`;
}
