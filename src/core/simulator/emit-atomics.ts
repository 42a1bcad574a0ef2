import type { Expression } from '../wgsl/program.js';
import { named, type Components } from './component.js';
import type { FunctionContext } from './emit-context.js';
import { expressionOf } from './emit-expressions.js';
import { load, noteAtomic, pointerOf, type AtomicPlace } from './emit-memory.js';

type AtomicExpression = Extract<Expression, { kind: 'atomic' }>;

/** The value that an operation stores, from the old value and its operand. */
function combined(operation: AtomicExpression['operation'], old: string, operand: string, signed: boolean): string {
  const less = signed ? `${operand} < ${old}` : `(${operand} >>> 0) < (${old} >>> 0)`;
  switch (operation) {
    case 'atomicAdd':
      return `${old} + ${operand} | 0`;
    case 'atomicSub':
      return `${old} - ${operand} | 0`;
    case 'atomicMax':
      return `${less} ? ${old} : ${operand}`;
    case 'atomicMin':
      return `${less} ? ${operand} : ${old}`;
    case 'atomicAnd':
      return `${old} & ${operand}`;
    case 'atomicOr':
      return `${old} | ${operand}`;
    case 'atomicXor':
      return `${old} ^ ${operand}`;
    case 'atomicExchange':
    case 'atomicStore':
      return operand;
    case 'atomicLoad':
    case 'atomicCompareExchangeWeak':
      return old;
  }
}

/** An atomic operation: one access, and the old value where there is one. */
export function atomicOf(expression: AtomicExpression, context: FunctionContext): Components {
  const { writer } = context;
  const pointer = pointerOf(expression.pointer, context);
  const args = expression.args.flatMap((argument) => expressionOf(argument, context)).map((part) => writer.keep(part));
  const place: AtomicPlace = noteAtomic(pointer, { node: expression, span: expression.pointer.span }, context);
  const old = writer.temporary(place.code);
  const [first, second] = args;
  if (expression.operation === 'atomicCompareExchangeWeak') {
    const same = writer.temporary(`${old} === ${first!.code}`);
    writer.line(`if (${same}) ${place.code} = ${second!.code};`);
    return [named(old), named(same)];
  }
  if (first) writer.line(`${place.code} = ${combined(expression.operation, old, first.code, place.signed)};`);
  return expression.operation === 'atomicStore' ? [] : [named(old)];
}

/** `workgroupUniformLoad`: everybody waits, loads, and waits again. */
export function uniformLoad(
  expression: Extract<Expression, { kind: 'uniform-load' }>,
  context: FunctionContext,
): Components {
  const { writer, pass } = context;
  const point = pass.addSync({
    kind: 'barrier',
    span: expression.span,
    name: '',
    width: 0,
    scalar: 'u32',
    matrix: null,
  });
  const pointer = pointerOf(expression.pointer, context);
  const wait = (): void => {
    if (!pass.waits) return;
    writer.endRegion();
    writer.line(`yield ${point};`);
  };
  wait();
  const loaded = load(pointer, expression.type, { node: expression, span: expression.pointer.span }, context);
  wait();
  return loaded;
}
