import type { BinaryExpression, ExpressionElem } from 'wesl/core';
import { precedence } from './precedence.js';

export type BinaryToken = BinaryExpression['operator']['value'];

/** An expression of binary operators as WGSL groups it; the leaves are anything else, parentheses included. */
export type BinaryTree =
  | { readonly kind: 'leaf'; readonly elem: ExpressionElem; readonly start: number; readonly end: number }
  | {
      readonly kind: 'branch';
      readonly operator: BinaryToken;
      readonly left: BinaryTree;
      readonly right: BinaryTree;
      readonly start: number;
      readonly end: number;
    };

/**
 * Groups a chain of binary operators by their strength. WESL (0.7.31) gets operands and operators in the right order but
 * groups `a < b * c + d` as `(a < b * c) + d`, so its own grouping is not used.
 */
export function binaryTree(elem: BinaryExpression): BinaryTree {
  const { operands, operators } = inOrder(elem);
  const done: BinaryTree[] = [leaf(operands[0]!)];
  const waiting: BinaryToken[] = [];
  const reduce = (): void => {
    const right = done.pop()!;
    const left = done.pop()!;
    done.push({ kind: 'branch', operator: waiting.pop()!, left, right, start: left.start, end: right.end });
  };
  for (const [index, operator] of operators.entries()) {
    while (waiting.length > 0 && precedence[waiting.at(-1)!]! >= precedence[operator]!) reduce();
    waiting.push(operator);
    done.push(leaf(operands[index + 1]!));
  }
  while (waiting.length > 0) reduce();
  return done[0]!;
}

const leaf = (elem: ExpressionElem): BinaryTree => ({ kind: 'leaf', elem, start: elem.start, end: elem.end });

/** Operands and the operators between them as they stand in the text. Not recursive: chains may be very long. */
function inOrder(root: BinaryExpression): { operands: ExpressionElem[]; operators: BinaryToken[] } {
  const operands: ExpressionElem[] = [];
  const operators: BinaryToken[] = [];
  const open: (ExpressionElem | BinaryToken)[] = [root];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (typeof next === 'string') operators.push(next);
    else if (next.kind === 'binary-expression') open.push(next.right, next.operator.value, next.left);
    else operands.push(next);
  }
  return { operands, operators };
}
