import type { ExpressionElem } from 'wesl/core';
import type { Span } from '../diagnostic.js';
import { typeText } from './abstract-types.js';
import { reject } from './lower-context.js';
import { type Loaded, spanOf, typeOf } from './lower-operands.js';
import type { Expression, PointerType } from './program.js';

/** A call of a built-in function, its arguments lowered and loaded. */
export interface BuiltinCall {
  readonly name: string;
  readonly templates: readonly ExpressionElem[];
  readonly args: readonly Loaded[];
  readonly span: Span;
}

/** Stops at a call whose arguments no overload takes. */
export function noOverload({ name, args, span }: BuiltinCall): never {
  const given = args.map((arg) => typeText(typeOf(arg))).join(', ');
  return reject(span, `${name} does not take (${given}).`, 'Convert the arguments to types it takes.');
}

/** A pointer argument whose target passes `accepts`. */
export function pointerArgument(
  call: BuiltinCall,
  index: number,
  accepts: (type: PointerType) => boolean,
  needed: string,
): Expression & { readonly type: PointerType } {
  const arg = call.args[index];
  if (arg === undefined) return noOverload(call);
  const expression = arg.kind === 'computed' ? arg.expression : null;
  if (expression?.type.kind === 'pointer' && accepts(expression.type)) {
    return { ...expression, type: expression.type };
  }
  return reject(spanOf(arg), `${call.name} needs ${needed}, and this is ${typeText(typeOf(arg))}.`, 'Pass &variable.');
}
