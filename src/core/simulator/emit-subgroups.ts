import type { Expression } from '../wgsl/program.js';
import { named, type Components } from './component.js';
import { Unsupported, type FunctionContext } from './emit-context.js';
import { expressionOf } from './emit-expressions.js';
import { leavesOf, scalarOf } from './flatten.js';
import { exchangeWidth, isSubgroupOperation } from './subgroups.js';

/**
 * A subgroup operation: each invocation puts its operands into its part of X, waits, and finds its result there. The
 * scheduler works out what the invocations that wait together get.
 */
export function subgroupOf(
  expression: Extract<Expression, { kind: 'subgroup' }>,
  context: FunctionContext,
): Components {
  const { writer, pass } = context;
  const { name, span, type, args } = expression;
  if (!isSubgroupOperation(name)) throw new Unsupported(`The simulator has no "${name}".`, span, null);
  const operands = args.map((argument) => expressionOf(argument, context));
  const [value = []] = operands;
  const scalar = args[0] ? scalarOf(args[0].type) : 'bool';
  const point = pass.addSync({ kind: 'subgroup', span, name, width: value.length, scalar, matrix: null });
  const place = writer.temporary(`S[2] * ${exchangeWidth}`);
  for (const [index, part] of operands.flat().entries()) {
    writer.line(`X[${place} + ${index}] = +${bracketed(part.code)};`);
    if (pass.variant.tags) writer.line(`XT[${place} + ${index}] = ${part.tag};`);
  }
  writer.endRegion();
  writer.line(`yield ${point};`);
  return leavesOf(type).map((leaf, index) => {
    const raw = `X[${place} + ${index}]`;
    const code =
      leaf.scalar === 'bool' ? `${raw} !== 0` : leaf.scalar === 'i32' || leaf.scalar === 'u32' ? `${raw} | 0` : raw;
    const tagged = pass.variant.tags && value.some(({ tag }) => tag !== '0') && leaf.scalar !== 'bool';
    return { ...named(writer.temporary(code)), tag: tagged ? writer.temporary(`XT[${place} + ${index}]`) : '0' };
  });
}

const bracketed = (code: string): string => (/^[\w$]+$/.test(code) ? code : `(${code})`);
