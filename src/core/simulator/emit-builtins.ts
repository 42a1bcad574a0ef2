import type { Expression } from '../wgsl/program.js';
import type { Scalar } from '../wgsl/types.js';
import { computed, isSmall, type Component, type Components } from './component.js';
import { binaryComponent, isFloat, rounded, sumOfProducts, unsigned } from './emit-arithmetic.js';
import { bitBuiltins } from './emit-bits.js';
import { Unsupported, type FunctionContext } from './emit-context.js';
import { expressionOf } from './emit-expressions.js';
import { joinTags, multiplyTags } from './emit-tags.js';
import { scalarOf } from './flatten.js';

type BuiltinExpression = Extract<Expression, { kind: 'builtin' }>;
type Emit = (args: readonly Components[], expression: BuiltinExpression, context: FunctionContext) => Components;

/** JavaScript of float functions of one argument that may be written more than once; the result is then rounded. */
const floatUnary: Readonly<Record<string, (x: string, scalar: Scalar) => string>> = {
  abs: (x) => `Math.abs(${x})`,
  acos: (x) => `Math.acos(${x})`,
  acosh: (x) => `Math.acosh(${x})`,
  asin: (x) => `Math.asin(${x})`,
  asinh: (x) => `Math.asinh(${x})`,
  atan: (x) => `Math.atan(${x})`,
  atanh: (x) => `Math.atanh(${x})`,
  ceil: (x) => `Math.ceil(${x})`,
  cos: (x) => `Math.cos(${x})`,
  cosh: (x) => `Math.cosh(${x})`,
  degrees: (x) => `${x} * ${180 / Math.PI}`,
  exp: (x) => `Math.exp(${x})`,
  exp2: (x, scalar) => (scalar === 'f32' ? `exp2(${x})` : `Math.pow(2, ${x})`),
  floor: (x) => `Math.floor(${x})`,
  fract: (x) => `${x} - Math.floor(${x})`,
  inverseSqrt: (x) => `1 / Math.sqrt(${x})`,
  log: (x) => `Math.log(${x})`,
  log2: (x) => `Math.log2(${x})`,
  quantizeToF16: (x) => `f16(${x})`,
  radians: (x) => `${x} * ${Math.PI / 180}`,
  round: (x) => `roundEven(${x})`,
  saturate: (x) => `Math.min(Math.max(${x}, 0), 1)`,
  sign: (x) => `Math.sign(${x})`,
  sin: (x) => `Math.sin(${x})`,
  sinh: (x) => `Math.sinh(${x})`,
  sqrt: (x) => `Math.sqrt(${x})`,
  tan: (x) => `Math.tan(${x})`,
  tanh: (x) => `Math.tanh(${x})`,
  trunc: (x) => `Math.trunc(${x})`,
};

/** Of those, the ones whose exact result is a value of the format already. */
const exactUnary = new Set(['abs', 'ceil', 'floor', 'round', 'saturate', 'sign', 'trunc']);

/** Float functions of several arguments. Products are exact in a double, so that `fma` rounds once. */
const floatSeveral: Readonly<Record<string, (x: readonly string[], scalar: Scalar) => string>> = {
  atan2: ([y, x]) => `Math.atan2(${y!}, ${x!})`,
  clamp: ([x, low, high]) => `Math.min(Math.max(${x!}, ${low!}), ${high!})`,
  fma: ([a, b, c]) => `${a!} * ${b!} + ${c!}`,
  ldexp: ([x, power]) => `ldexp(${x!}, ${power!})`,
  max: ([a, b]) => `Math.max(${a!}, ${b!})`,
  min: ([a, b]) => `Math.min(${a!}, ${b!})`,
  mix: ([a, b, t], scalar) => `${a!} * ${rounded(scalar, `1 - ${t!}`)} + ${b!} * ${t!}`,
  pow: ([x, y]) => `Math.pow(${x!}, ${y!})`,
  smoothstep: ([low, high, x]) => `smoothstep(${low!}, ${high!}, ${x!})`,
  step: ([edge, x]) => `(${edge!} <= ${x!} ? 1 : 0)`,
};

const exactSeveral = new Set(['clamp', 'max', 'min', 'step']);

function tagOf(parts: readonly Component[], context: FunctionContext): string {
  return parts.reduce((tag, part) => joinTags(tag, part.tag, context), '0');
}

/** `fma` is a product that is added to the third. */
function tagOfFma([a, b, c]: readonly Component[], context: FunctionContext): string {
  return joinTags(multiplyTags(a!.tag, b!.tag, context), c!.tag, context);
}

/** Components of the arguments side by side; scalars among vectors are repeated. */
function lanes(args: readonly Components[], { writer }: FunctionContext): Component[][] {
  const width = Math.max(...args.map(({ length }) => length));
  const kept = args.map((parts) => parts.map((part) => writer.repeatable(part)));
  return Array.from({ length: width }, (_, lane) => kept.map((parts) => parts[parts.length === 1 ? 0 : lane]!));
}

function floatLanes(
  name: string,
  args: readonly Components[],
  scalar: Scalar,
  context: FunctionContext,
): Components | null {
  const unary = floatUnary[name];
  const several = floatSeveral[name];
  if (unary === undefined && several === undefined) return null;
  return lanes(args, context).map((parts) => {
    const codes = parts.map(({ code }) => code);
    const code = unary === undefined ? several!(codes, scalar) : unary(codes[0]!, scalar);
    const exact = unary === undefined ? exactSeveral.has(name) : exactUnary.has(name);
    const tag = name === 'fma' ? tagOfFma(parts, context) : tagOf(parts, context);
    return { ...computed(exact ? code : rounded(scalar, code)), tag };
  });
}

const integerSeveral: Readonly<Record<string, (x: readonly string[]) => string>> = {
  abs: ([x]) => `(${x!} < 0 ? -${x!} : ${x!}) | 0`,
  sign: ([x]) => `${x!} >> 31 | -${x!} >>> 31`,
  min: ([a, b]) => `${a!} < ${b!} ? ${a!} : ${b!}`,
  max: ([a, b]) => `${a!} < ${b!} ? ${b!} : ${a!}`,
  clamp: ([x, low, high]) => `Math.min(Math.max(${x!}, ${low!}), ${high!})`,
};

/** min, max, clamp, abs and sign of integers: the result is one of the values, whatever wrapped before. */
function integerLanes(
  name: string,
  args: readonly Components[],
  scalar: Scalar,
  context: FunctionContext,
): Components | null {
  const emit = integerSeveral[name];
  if (emit === undefined) return null;
  return lanes(args, context).map((parts) => {
    if (scalar === 'u32' && name === 'abs') return parts[0]!;
    const small = scalar === 'i32' || parts.every(({ range }) => isSmall(range));
    const codes = parts.map((part) => (small ? part.code : unsigned(part)));
    const range = boundedRange(name, parts);
    return { ...computed(small ? `(${emit(codes)})` : `((${emit(codes)}) | 0)`), range, tag: tagOf(parts, context) };
  });
}

function boundedRange(name: string, parts: readonly Component[]): Component['range'] {
  const ranges = parts.map(({ range }) => range);
  if (name === 'min') {
    const known = ranges.filter(isSmall);
    if (known.length === 0) return null;
    const high = Math.min(...known.map((range) => range.high));
    return ranges.every((range) => isSmall(range)) ? { low: Math.min(...known.map(({ low }) => low)), high } : null;
  }
  if (name === 'max' && ranges.every((range) => isSmall(range))) {
    const known = ranges.filter(isSmall);
    return { low: Math.max(...known.map(({ low }) => low)), high: Math.max(...known.map(({ high }) => high)) };
  }
  return null;
}

function select([no, yes, condition]: readonly Components[], context: FunctionContext): Components {
  const { writer } = context;
  const kept = condition!.length === 1 ? [writer.repeatable(condition![0]!)] : condition!;
  return no!.map((otherwise, lane) => {
    const test = kept.length === 1 ? kept[0]! : writer.repeatable(kept[lane]!);
    const chosen = yes![lane]!;
    const tagged = otherwise.tag !== '0' || chosen.tag !== '0';
    const tag = tagged ? writer.temporary(`${test.code} ? ${chosen.tag} : ${otherwise.tag}`) : '0';
    return {
      ...computed(`(${test.code} ? ${chosen.code} : ${otherwise.code})`),
      tag,
      range: spanned(chosen, otherwise),
    };
  });
}

function spanned(a: Component, b: Component): Component['range'] {
  if (a.range === null || b.range === null) return null;
  return { low: Math.min(a.range.low, b.range.low), high: Math.max(a.range.high, b.range.high) };
}

function all(parts: Components, operator: '&&' | '||'): Components {
  return [computed(`(${parts.map(({ code }) => code).join(` ${operator} `)})`)];
}

const keep = (parts: Components, { writer }: FunctionContext): Components =>
  parts.map((part) => writer.repeatable(part));

function dot(a: Components, b: Components, scalar: Scalar, context: FunctionContext): Component {
  return sumOfProducts(scalar, a, b, context);
}

function lengthOf(parts: Components, scalar: Scalar, context: FunctionContext): Component {
  const kept = keep(parts, context);
  const squares = kept.map(({ code }) => `${code} * ${code}`).join(' + ');
  return { ...computed(rounded(scalar, `Math.sqrt(${squares})`)), tag: tagOf(kept, context) };
}

function scaledBy(parts: Components, scalar: Scalar, factor: Component, context: FunctionContext): Components {
  return parts.map((part) => binaryComponent('*', scalar, part, factor, context));
}

function cross(a: Components, b: Components, scalar: Scalar, context: FunctionContext): Components {
  const [x, y] = [keep(a, context), keep(b, context)];
  return [0, 1, 2].map((lane) => {
    const [next, last] = [(lane + 1) % 3, (lane + 2) % 3];
    const plus = binaryComponent('*', scalar, x[next]!, y[last]!, context);
    const minus = binaryComponent('*', scalar, x[last]!, y[next]!, context);
    return binaryComponent('-', scalar, plus, minus, context);
  });
}

function reflect(incident: Components, normal: Components, scalar: Scalar, context: FunctionContext): Components {
  const [e1, e2] = [keep(incident, context), keep(normal, context)];
  const twice = context.writer.repeatable({ ...computed(`2 * ${dot(e2, e1, scalar, context).code}`) });
  return e1.map((part, lane) =>
    binaryComponent('-', scalar, part, binaryComponent('*', scalar, twice, e2[lane]!, context), context),
  );
}

function refract(args: readonly Components[], scalar: Scalar, context: FunctionContext): Components {
  const { writer } = context;
  const [e1, e2] = [keep(args[0]!, context), keep(args[1]!, context)];
  const ratio = writer.repeatable(args[2]![0]!).code;
  const cosine = writer.temporary(dot(e2, e1, scalar, context).code);
  const k = writer.temporary(rounded(scalar, `1 - ${ratio} * ${ratio} * (1 - ${cosine} * ${cosine})`));
  return e1.map((part, lane) => {
    const bent = `${ratio} * ${part.code} - (${ratio} * ${cosine} + Math.sqrt(${k})) * ${e2[lane]!.code}`;
    return { ...computed(`(${k} < 0 ? 0 : ${rounded(scalar, bent)})`), tag: part.tag };
  });
}

function determinant(matrix: Components, scalar: Scalar, context: FunctionContext): Component {
  const kept = keep(matrix, context);
  const size = Math.sqrt(kept.length);
  const minor = (columns: readonly number[], row: number): string => {
    if (columns.length === 1) return kept[columns[0]! * size + row]!.code;
    const terms = columns.map((column, index) => {
      const rest = columns.filter((other) => other !== column);
      return `${index % 2 === 0 ? '+' : '-'} ${kept[column * size + row]!.code} * (${minor(rest, row + 1)})`;
    });
    return terms.join(' ').replace(/^\+ /, '');
  };
  const columns = Array.from({ length: size }, (_, column) => column);
  return { ...computed(rounded(scalar, minor(columns, 0))), tag: tagOf(kept, context) };
}

function splitFloat(
  name: 'frexp' | 'modf',
  parts: Components,
  scalar: Scalar,
  { writer }: FunctionContext,
): Components {
  const kept = parts.map((part) => writer.repeatable(part));
  const first = kept.map((part) =>
    name === 'frexp'
      ? { ...computed(`frexpFraction(${part.code})`), tag: part.tag }
      : { ...computed(rounded(scalar, `${part.code} - Math.trunc(${part.code})`)), tag: part.tag },
  );
  const second = kept.map((part) =>
    name === 'frexp'
      ? computed(`frexpExponent(${part.code})`)
      : { ...computed(`Math.trunc(${part.code})`), tag: part.tag },
  );
  return [...first, ...second];
}

const others: Readonly<Record<string, Emit>> = {
  all: ([parts]) => all(parts!, '&&'),
  any: ([parts]) => all(parts!, '||'),
  select: (args, _, context) => select(args, context),
  dot: ([a, b], { args }, context) => [dot(a!, b!, scalarOf(args[0]!.type), context)],
  length: ([a], { type }, context) => [lengthOf(a!, scalarOf(type), context)],
  distance: ([a, b], { type }, context) => {
    const scalar = scalarOf(type);
    const difference = a!.map((part, lane) => binaryComponent('-', scalar, part, b![lane]!, context));
    return [lengthOf(difference, scalar, context)];
  },
  normalize: ([a], { type }, context) => {
    const scalar = scalarOf(type);
    const kept = keep(a!, context);
    const size = context.writer.repeatable(lengthOf(kept, scalar, context));
    return kept.map((part) => ({ ...computed(rounded(scalar, `${part.code} / ${size.code}`)), tag: part.tag }));
  },
  cross: ([a, b], { type }, context) => cross(a!, b!, scalarOf(type), context),
  reflect: ([a, b], { type }, context) => reflect(a!, b!, scalarOf(type), context),
  refract: (args, { type }, context) => refract(args, scalarOf(type), context),
  faceForward: ([e1, e2, e3], { type }, context) => {
    const facing = context.writer.repeatable(dot(keep(e2!, context), keep(e3!, context), scalarOf(type), context));
    return keep(e1!, context).map((part) => ({
      ...computed(`(${facing.code} < 0 ? ${part.code} : -${part.code})`),
      tag: part.tag,
    }));
  },
  transpose: ([matrix], { args }) => {
    const [argument] = args;
    if (argument?.type.kind !== 'matrix') return matrix!;
    const { rows, columns } = argument.type;
    return matrix!.map((_, at) => matrix![(at % columns) * rows + Math.floor(at / columns)]!);
  },
  determinant: ([matrix], { type }, context) => [determinant(matrix!, scalarOf(type), context)],
  frexp: ([parts], { args }, context) => splitFloat('frexp', parts!, scalarOf(args[0]!.type), context),
  modf: ([parts], { args }, context) => splitFloat('modf', parts!, scalarOf(args[0]!.type), context),
  mix: (args, { type }, context) => floatLanes('mix', args, scalarOf(type), context)!,
  outerProduct: ([a, b], { type }, context) => b!.flatMap((factor) => scaledBy(a!, scalarOf(type), factor, context)),
};

/** The scalars of a built-in function of values alone. */
export function builtinOf(expression: BuiltinExpression, context: FunctionContext): Components {
  const { name } = expression;
  const args = expression.args.map((argument) => expressionOf(argument, context));
  const own = Object.hasOwn(others, name) ? others[name] : undefined;
  if (own) return own(args, expression, context);
  const first = expression.args[0];
  const scalar = first ? scalarOf(first.type) : 'f32';
  const result = isFloat(scalar) ? floatLanes(name, args, scalar, context) : integerLanes(name, args, scalar, context);
  if (result) return result;
  const bits = bitBuiltins(name, args, scalar, context);
  if (bits) return bits;
  throw new Unsupported(`The simulator has no "${name}".`, expression.span, null);
}
