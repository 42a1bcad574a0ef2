import type { Expression, Place, Variable } from '../wgsl/program.js';
import type { FunctionContext } from './emit-context.js';

type Context = Pick<FunctionContext, 'pass' | 'pointers'>;

/**
 * Whether the value of an expression is left out by the variant: it is made of a variable, let, parameter or result whose
 * value is. Nothing relevant is ever made of it, but it may have a tag.
 */
export function isOmitted(expression: Expression, context: Context): boolean {
  const { pass } = context;
  const some = (parts: readonly Expression[]): boolean => parts.some((part) => isOmitted(part, context));
  switch (expression.kind) {
    case 'value':
      return expression.type.kind !== 'pointer' && !pass.isRelevant(expression.value);
    case 'load':
      return isHolderOmitted(rootThrough(expression.place, context), context);
    case 'uniform-load':
    case 'atomic':
      return isHolderOmitted(pointee(expression.pointer, context), context);
    case 'unary':
    case 'convert':
    case 'bitcast':
      return isOmitted(expression.operand, context);
    case 'binary':
    case 'logical':
      return isOmitted(expression.left, context) || isOmitted(expression.right, context);
    case 'construct':
      return some(expression.parts);
    case 'builtin':
    case 'subgroup':
    case 'subgroup-matrix':
      return some(expression.args);
    case 'element':
    case 'member':
    case 'swizzle':
      return isOmitted(expression.base, context);
    case 'call':
      return !pass.isRelevantResult(expression.function);
    case 'constant':
    case 'address':
    case 'array-length':
      return false;
  }
}

function isHolderOmitted(root: Variable | null, { pass }: Context): boolean {
  return root !== null && !pass.isRelevant(root);
}

/** The variable that a place is in, through whatever pointers. */
function rootThrough(place: Place, context: Context): Variable | null {
  let inner = place;
  while (inner.kind === 'element' || inner.kind === 'member') inner = inner.base;
  return inner.kind === 'variable' ? inner.variable : pointee(inner.pointer, context);
}

function pointee(pointer: Expression, context: Context): Variable | null {
  if (pointer.kind === 'address') return rootThrough(pointer.place, context);
  return pointer.kind === 'value' ? (context.pointers.get(pointer.value.id)?.root ?? null) : null;
}
