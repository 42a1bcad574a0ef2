import type { Binding, EntryPoint, WgslModule } from './module.js';
import { layoutOf } from './layout.js';
import { scan } from './scan.js';
import type { Scalar, WgslType } from './types.js';
import { precedence } from './precedence.js';

/** A constant and its WGSL type; `abstract` numbers take the type of what they meet. Booleans are 0 and 1. */
export interface ConstValue {
  readonly value: number;
  readonly type: Scalar | 'abstract-int' | 'abstract-float';
}

/** Values of `override`s by name. */
export type OverrideValues = Readonly<Record<string, number>>;

const deepestNesting = 200;
const operators = ['<<', '>>', '<=', '>=', '==', '!=', '&&', '||'];
const unaryFunctions: Readonly<Record<string, (a: number) => number>> = {
  abs: Math.abs,
  ceil: Math.ceil,
  floor: Math.floor,
  trunc: Math.trunc,
  round: (a) => (Math.abs(a % 1) === 0.5 ? 2 * Math.round(a / 2) : Math.round(a)),
  sign: Math.sign,
  sqrt: Math.sqrt,
  inverseSqrt: (a) => 1 / Math.sqrt(a),
  exp: Math.exp,
  exp2: (a) => 2 ** a,
  log: Math.log,
  log2: Math.log2,
  countOneBits: (a) => (a >>> 0).toString(2).replaceAll('0', '').length,
  firstLeadingBit: (a) => 31 - Math.clz32(a),
  firstTrailingBit: (a) => 31 - Math.clz32(a & -a),
};

const isFloat = (type: ConstValue['type']): boolean => type === 'f32' || type === 'f16' || type === 'abstract-float';
const isAbstract = (type: ConstValue['type']): boolean => type === 'abstract-int' || type === 'abstract-float';
const bool = (value: boolean): ConstValue => ({ value: value ? 1 : 0, type: 'bool' });

/** The number converted to a concrete scalar type, as a WGSL conversion does (integers wrap, floats round to f32). */
export function convertConst({ value, type }: ConstValue, to: Scalar): ConstValue {
  switch (to) {
    case 'bool':
      return bool(value !== 0);
    case 'i32':
      return {
        value: isFloat(type) ? Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, Math.trunc(value))) : value | 0,
        type: to,
      };
    case 'u32':
      return { value: isFloat(type) ? Math.max(0, Math.min(2 ** 32 - 1, Math.trunc(value))) : value >>> 0, type: to };
    case 'f32':
      return { value: Math.fround(value), type: to };
    case 'f16':
      return { value, type: to };
  }
}

/** The common type of two operands, or null where WGSL has none. */
function meet(a: ConstValue, b: ConstValue): ConstValue['type'] | null {
  if (a.type === b.type) return a.type;
  if (!isAbstract(a.type) && !isAbstract(b.type)) return null;
  const [abstract, other] = isAbstract(a.type) ? [a.type, b.type] : [b.type, a.type];
  if (other === 'bool') return null;
  if (abstract === 'abstract-float' && !isFloat(other)) return other === 'abstract-int' ? abstract : null;
  return other;
}

/** Brings the exact result of an operation into its type. Null where it is not finite or a division fails. */
function settle(value: number, type: ConstValue['type']): ConstValue | null {
  if (!Number.isFinite(value)) return null;
  if (type === 'i32') return { value: value | 0, type };
  if (type === 'u32') return { value: value >>> 0, type };
  return { value: type === 'f32' ? Math.fround(value) : value, type };
}

function arithmetic(operator: string, a: number, b: number, type: ConstValue['type']): number {
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return type === 'i32' ? Math.imul(a, b) : type === 'u32' ? Math.imul(a, b) >>> 0 : a * b;
    case '/':
      if (isFloat(type)) return a / b;
      return b === 0 ? NaN : Math.trunc(a / b);
    case '%':
      return b === 0 ? NaN : a % b;
    case '&':
      return a & b;
    case '|':
      return a | b;
    case '^':
      return a ^ b;
    case '<<':
      return a * 2 ** b;
    default:
      return Math.floor(a / 2 ** b);
  }
}

function compare(operator: string, a: number, b: number): boolean {
  switch (operator) {
    case '==':
      return a === b;
    case '!=':
      return a !== b;
    case '<':
      return a < b;
    case '<=':
      return a <= b;
    case '>':
      return a > b;
    default:
      return a >= b;
  }
}

function binary(operator: string, a: ConstValue, b: ConstValue): ConstValue | null {
  if (operator === '<<' || operator === '>>') return settle(arithmetic(operator, a.value, b.value, a.type), a.type);
  if (operator === '&&') return bool(a.value !== 0 && b.value !== 0);
  if (operator === '||') return bool(a.value !== 0 || b.value !== 0);
  const type = meet(a, b);
  if (type === null) return null;
  if ((precedence[operator] ?? 0) === 6 || (precedence[operator] ?? 0) === 7) {
    return bool(compare(operator, a.value, b.value));
  }
  return settle(arithmetic(operator, a.value, b.value, type), type);
}

const scalars: readonly string[] = ['f32', 'f16', 'i32', 'u32', 'bool'] satisfies readonly Scalar[];
const isScalar = (name: string): name is Scalar => scalars.includes(name);

/** A call of a built-in function or a scalar conversion; null where it is not one of those known here. */
function call(name: string, args: readonly ConstValue[]): ConstValue | null {
  const [a, b, c] = args;
  if (isScalar(name)) {
    if (a === undefined) return { value: 0, type: name };
    return args.length === 1 ? convertConst(a, name) : null;
  }
  if (a === undefined) return null;
  const unary = Object.hasOwn(unaryFunctions, name) ? unaryFunctions[name] : undefined;
  if (unary !== undefined) {
    const isInteger = name === 'abs' || name === 'sign' || name.startsWith('first') || name === 'countOneBits';
    const type = a.type === 'abstract-int' && !isInteger ? 'abstract-float' : a.type;
    return args.length === 1 ? settle(unary(a.value), type) : null;
  }
  if (b === undefined) return null;
  if (name === 'select') return c === undefined ? null : c.value !== 0 ? b : a;
  const type = meet(a, b);
  if (type === null) return null;
  if (name === 'min' || name === 'max') return settle(Math[name](a.value, b.value), type);
  if (name === 'pow') return settle(a.value ** b.value, type === 'abstract-int' ? 'abstract-float' : type);
  if (name === 'clamp' && c !== undefined) {
    return settle(Math.min(Math.max(a.value, b.value), c.value), meet({ value: 0, type }, c) ?? type);
  }
  return null;
}

/** The value of a WGSL number literal, or null where the text is none. */
function literal(text: string): ConstValue | null {
  const hex = /^0[xX]/.test(text);
  const floatSuffix = hex ? /[pP].*[fh]$/.test(text) : /[fh]$/.test(text);
  const suffix = /[iu]$/.test(text) || floatSuffix ? text.at(-1) : '';
  const digits = suffix === '' ? text : text.slice(0, -1);
  const value = hex && /[.pP]/.test(digits) ? hexFloat(digits) : Number(digits);
  if (!Number.isFinite(value)) return null;
  if (suffix === 'i') return { value, type: 'i32' };
  if (suffix === 'u') return { value, type: 'u32' };
  if (suffix === 'f') return { value: Math.fround(value), type: 'f32' };
  if (suffix === 'h') return { value, type: 'f16' };
  const integer = hex ? !/[.pP]/.test(digits) : !/[.eE]/.test(digits);
  return { value, type: integer ? 'abstract-int' : 'abstract-float' };
}

/** The value of a hexadecimal float literal without its suffix; NaN where the text is none. */
export function hexFloat(text: string): number {
  const parts = /^0[xX]([\da-fA-F]*)\.?([\da-fA-F]*)(?:[pP]([+-]?\d+))?$/.exec(text);
  if (parts === null) return NaN;
  const [, whole = '', fraction = '', exponent = '0'] = parts;
  return (parseInt(whole + fraction || '0', 16) / 16 ** fraction.length) * 2 ** Number(exponent);
}

/** Recursive descent over a constant expression; every method gives null for what it cannot evaluate. */
class ConstParser {
  private readonly tokens: string[] = [];
  private at = 0;
  private depth = 0;

  constructor(
    text: string,
    private readonly lookup: (name: string) => ConstValue | null,
  ) {
    let at = 0;
    while (at < text.length) {
      const piece = scan(text, at);
      const end = piece.kind === 'other' && operators.includes(text.slice(at, at + 2)) ? at + 2 : piece.end;
      if (piece.kind !== 'blank' && piece.kind !== 'newline' && piece.kind !== 'comment') {
        this.tokens.push(text.slice(at, end));
      }
      at = end;
    }
  }

  parse(): ConstValue | null {
    const value = this.expression(1);
    return this.at === this.tokens.length ? value : null;
  }

  private expression(lowest: number): ConstValue | null {
    let left = this.unary();
    for (;;) {
      const operator = this.tokens[this.at];
      const level = operator === undefined || !Object.hasOwn(precedence, operator) ? 0 : precedence[operator]!;
      if (operator === undefined || level < lowest) return left;
      this.at += 1;
      const right = this.expression(level + 1);
      if (left === null || right === null) return null;
      left = binary(operator, left, right);
    }
  }

  private unary(): ConstValue | null {
    const token = this.tokens[this.at];
    if (token === undefined || this.depth >= deepestNesting) return null;
    this.at += 1;
    this.depth += 1;
    try {
      return this.primary(token);
    } finally {
      this.depth -= 1;
    }
  }

  private primary(token: string): ConstValue | null {
    if (token === '-' || token === '!' || token === '~') {
      const operand = this.unary();
      if (operand === null) return null;
      if (token === '!') return bool(operand.value === 0);
      return settle(token === '-' ? -operand.value : ~operand.value, operand.type);
    }
    if (token === '(') {
      const value = this.expression(1);
      return this.tokens[this.at++] === ')' ? value : null;
    }
    if (token === 'true' || token === 'false') return bool(token === 'true');
    if (/^[.\d]/.test(token)) return literal(token);
    if (this.tokens[this.at] !== '(') return this.lookup(token);
    const args = this.callArguments();
    return args === null ? null : call(token, args);
  }

  private callArguments(): readonly ConstValue[] | null {
    const args: ConstValue[] = [];
    this.at += 1;
    while (this.tokens[this.at] !== ')') {
      const value = this.expression(1);
      if (value === null) return null;
      args.push(value);
      if (this.tokens[this.at] === ',') this.at += 1;
      else if (this.tokens[this.at] !== ')') return null;
    }
    this.at += 1;
    return args;
  }
}

/** The typed value of a WGSL constant expression, or null where it is none; `lookup` gives the value of a name. */
export function evaluateTyped(text: string, lookup: (name: string) => ConstValue | null): ConstValue | null {
  return new ConstParser(text, lookup).parse();
}

/**
 * The value of a WGSL expression of literals, `override` names, operators and built-in functions, with WGSL's integer
 * division; true is 1. Null where it names something without a value or cannot be evaluated.
 */
export function evaluateConst(expressionText: string, values: OverrideValues = {}): number | null {
  const lookup = (name: string): ConstValue | null => {
    const value = Object.hasOwn(values, name) ? values[name] : undefined;
    if (value === undefined) return null;
    return { value, type: Number.isInteger(value) ? 'abstract-int' : 'abstract-float' };
  };
  return evaluateTyped(expressionText, lookup)?.value ?? null;
}

/**
 * The value of every `override` of a module: from `constants` where given there, else its default, which may name other
 * overrides. An override without either is absent.
 */
export function overrideValues(module: WgslModule, constants: OverrideValues): OverrideValues {
  const values: Record<string, number> = {};
  for (const { name, scalar, defaultValue, defaultText } of module.overrides) {
    const given = Object.hasOwn(constants, name) ? constants[name] : undefined;
    const value = given ?? defaultValue ?? (defaultText === null ? null : evaluateConst(defaultText, values));
    if (value !== null) values[name] = convertConst({ value, type: 'abstract-float' }, scalar).value;
  }
  return values;
}

/** The workgroup size of an entry point, missing dimensions as 1; null where an expression has no positive value. */
export function workgroupSizeOf(
  module: WgslModule,
  entry: EntryPoint,
  constants: OverrideValues = {},
): readonly [number, number, number] | null {
  const values = overrideValues(module, constants);
  const size = [0, 1, 2].map((axis) => {
    const text = entry.workgroupSize[axis];
    return text === undefined ? (axis === 0 ? null : 1) : evaluateConst(text, values);
  });
  const [x, y, z] = size;
  if (![x, y, z].every((n) => typeof n === 'number' && Number.isInteger(n) && n > 0)) return null;
  return [x!, y!, z!];
}

/** The type with every array count that depends on overrides put in as a number; null where one has no value. */
export function withCounts(type: WgslType, values: OverrideValues): WgslType | null {
  if (type.kind !== 'array') return type;
  const element = withCounts(type.element, values);
  const count = typeof type.count === 'string' ? evaluateConst(type.count, values) : type.count;
  if (element === null || (count === null && type.count !== null)) return null;
  return { kind: 'array', element, count };
}

/**
 * Bytes of workgroup memory that an entry point uses, itself or through the functions it calls: each variable rounded
 * up to 16 bytes, which is what WebGPU holds against `maxComputeWorkgroupStorageSize`. Null where a size is unknown.
 */
export function workgroupBytes(module: WgslModule, entry: EntryPoint, constants: OverrideValues = {}): number | null {
  const values = overrideValues(module, constants);
  let bytes = 0;
  for (const { name, type } of module.workgroupVariables) {
    if (!entry.uses.has(name)) continue;
    const concrete = withCounts(type, values);
    const layout = concrete === null ? null : layoutOf(concrete);
    if (layout === null) return null;
    bytes += Math.ceil(layout.sizeBytes / 16) * 16;
  }
  return bytes;
}

/** The bindings an entry point uses, in the order of the module. */
export function bindingsOf(module: WgslModule, entry: EntryPoint): readonly Binding[] {
  return module.bindings.filter((binding) => entry.uses.has(binding.name));
}
