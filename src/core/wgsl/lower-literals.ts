import type { Span } from '../diagnostic.js';
import { type AnyScalar, scalarType } from './abstract-types.js';
import { settle } from './constant-fold.js';
import { hexFloat } from './evaluate.js';
import { folding, reject } from './lower-context.js';
import { type Constant, constant } from './lower-operands.js';

const suffixes: Readonly<Record<string, AnyScalar>> = { i: 'i32', u: 'u32', f: 'f32', h: 'f16' };
const largest: Readonly<Record<string, bigint>> = {
  i32: 2n ** 31n - 1n,
  u32: 2n ** 32n - 1n,
  'abstract-int': 2n ** 63n - 1n,
};

/** A number or boolean literal as a constant, with the type its suffix or its form gives it. */
export function lowerLiteral(text: string, span: Span): Constant {
  if (text === 'true' || text === 'false') return constant(scalarType('bool'), text === 'true', span);
  const isHex = /^0[xX]/.test(text);
  const suffix = (isHex ? /(?:[iu]|(?<=[pP][+-]?\d+)[fh])$/ : /[iufh]$/).exec(text)?.[0];
  const digits = suffix === undefined ? text : text.slice(0, -1);
  const hasFloatForm = isHex ? /[.pP]/.test(digits) : /[.eE]/.test(digits);
  if (suffix === 'f' || suffix === 'h' || hasFloatForm) {
    const scalar = suffix === undefined ? 'abstract-float' : suffixes[suffix]!;
    const value = isHex ? hexFloat(digits) : Number(digits);
    if (Number.isNaN(value)) return reject(span, `${text} is not a number of WGSL.`, 'Correct the number.');
    return constant(
      scalarType(scalar),
      folding(span, () => settle(value, scalar)),
      span,
    );
  }
  const scalar = suffix === undefined ? 'abstract-int' : suffixes[suffix]!;
  if (!/^(?:0[xX][\da-fA-F]+|\d+)$/.test(digits)) {
    return reject(span, `${text} is not a number of WGSL.`, 'Correct the number.');
  }
  const value = BigInt(digits);
  if (value > largest[scalar]!) return reject(span, `${text} does not fit into ${scalar}.`, 'Use a smaller number.');
  return constant(scalarType(scalar), suffix === undefined ? value : Number(value), span);
}
