import type { DeclIdent, ExpressionElem, FnElem, RefIdent, TypeRefElem } from 'wesl/core';
import type { Diagnostic, Span } from '../diagnostic.js';
import type { AnyType } from './abstract-types.js';
import { FoldError, type TypedConstant } from './constant-fold.js';
import type { Operand } from './lower-operands.js';
import type { FunctionDefinition, Value, Variable } from './program.js';

/** A range of the code that is lowered, before it is mapped to the kernel file. */
export interface CodeRange {
  readonly start: number;
  readonly end: number;
}

/** What a declared name stands for. `broken` is one whose declaration has been reported already. */
export type Entity =
  | { readonly kind: 'constant'; readonly constant: TypedConstant }
  | { readonly kind: 'variable'; readonly variable: Variable }
  | { readonly kind: 'value'; readonly value: Value }
  | { readonly kind: 'function'; readonly elem: FnElem }
  | { readonly kind: 'type'; readonly type: AnyType }
  | { readonly kind: 'broken' };

/**
 * Ends the lowering of the statement or declaration it happens in. Its diagnostic is null where the cause has been
 * reported already. Never leaves `lowerProgram`.
 */
export class Rejection extends Error {
  constructor(readonly diagnostic: Diagnostic | null) {
    super(diagnostic?.message ?? 'follows from an error reported before');
  }
}

/** What the parts of the lowering ask of each other. */
export interface Lowering {
  /** The place of a piece of code in the kernel file; never empty. */
  span(range: CodeRange): Span;
  /** A number that no other variable, value or function of the program has. */
  newId(): number;
  /** What a name stands for; null where nothing in the text declares it, so that it is WGSL's own. */
  entity(ident: RefIdent): Entity | null;
  bind(ident: DeclIdent, entity: Entity): void;
  /** The type, value or place that an expression stands for. */
  operand(expression: ExpressionElem): Operand;
  type(ref: TypeRefElem): AnyType;
  /** A function, lowered now if it has not been. */
  callee(elem: FnElem, at: CodeRange): FunctionDefinition;
  /** Does one step further down, unless that is too deep. `at` is where the code for it stands. */
  nested<T>(at: CodeRange, step: () => T): T;
  report(diagnostic: Diagnostic): void;
  /** Whether anything was reported: then what follows from it need not be. */
  hasErrors(): boolean;
}

/** Stops at an error of types: a program that no device takes either. `at` is a place in the kernel file. */
export function reject(at: Span, message: string, remedy: string | null): never {
  throw new Rejection({ code: 'simulator-type', severity: 'error', span: at, message, remedy });
}

/** Stops at something that devices may take and the simulator does not. `at` is a place in the kernel file. */
export function unsupported(at: Span, message: string, remedy: string | null): never {
  throw new Rejection({ code: 'simulator-unsupported', severity: 'error', span: at, message, remedy });
}

/** Evaluates constants; where they have no value, that is an error at `at`. */
export function folding<T>(at: Span, fold: () => T): T {
  try {
    return fold();
  } catch (error) {
    if (error instanceof FoldError) return reject(at, error.message, error.remedy);
    throw error;
  }
}
