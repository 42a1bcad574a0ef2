import type { Span } from '../diagnostic.js';
import type { WgslType } from './types.js';

/**
 * What a WGSL entry point does, fully resolved: every name is its declaration, every expression has its concrete type,
 * every load is explicit, every override and constant is a value. `lower.ts` makes it from a text; the simulator
 * compiles it. Every span points into the kernel file as the user wrote it.
 */
export interface Program {
  /** Module-scope variables that the entry point uses, itself or through the functions it calls. */
  readonly variables: readonly Variable[];
  /** The functions it reaches, each before those that call it; the entry point stands last. */
  readonly functions: readonly FunctionDefinition[];
  readonly entry: EntryFunction;
}

export type AddressSpace = 'function' | 'private' | 'workgroup' | 'storage' | 'uniform';

/**
 * The type of an expression. Array counts are numbers (or null at the end of a storage buffer). Results of `frexp`,
 * `modf` and `atomicCompareExchangeWeak` are structs with WGSL's member names.
 */
export type ValueType = WgslType | PointerType | { readonly kind: 'void' };

export interface PointerType {
  readonly kind: 'pointer';
  readonly space: AddressSpace;
  readonly target: WgslType;
  readonly access: 'read' | 'read_write';
}

/** A `var`, at module scope or in a function. `id` is unique in its program. */
export interface Variable {
  readonly id: number;
  readonly name: string;
  readonly space: AddressSpace;
  readonly access: 'read' | 'read_write';
  readonly type: WgslType;
  /** For storage and uniform variables. */
  readonly binding: { readonly group: number; readonly binding: number } | null;
  /** Of a private variable; a function's variable has it in its `declare` statement. */
  readonly initializer: Expression | null;
  readonly span: Span;
  readonly nameSpan: Span;
}

/** A `let` or a parameter: a value with a name. `id` is unique in its program, among variables too. */
export interface Value {
  readonly id: number;
  readonly name: string;
  readonly type: ValueType;
  readonly nameSpan: Span;
}

export interface FunctionDefinition {
  readonly id: number;
  readonly name: string;
  readonly parameters: readonly Value[];
  readonly result: ValueType;
  readonly body: readonly Statement[];
  readonly span: Span;
  readonly nameSpan: Span;
}

export type BuiltinInput =
  | 'workgroup_id'
  | 'num_workgroups'
  | 'local_invocation_id'
  | 'local_invocation_index'
  | 'global_invocation_id'
  | 'subgroup_size'
  | 'subgroup_invocation_id'
  | 'subgroup_id'
  | 'num_subgroups'
  | 'global_invocation_index'
  | 'workgroup_index';

export interface EntryFunction {
  readonly function: FunctionDefinition;
  readonly workgroupSize: readonly [number, number, number];
  /** Which built-in value each parameter takes, or each member of a parameter that is a struct. */
  readonly inputs: readonly {
    readonly parameter: Value;
    /** Index of the member where the parameter is a struct, else null. */
    readonly member: number | null;
    readonly builtin: BuiltinInput;
  }[];
}

/** A value known before the program runs. i32 are signed, u32 unsigned; composites are nested lists in member order. */
export type ConstantValue = number | boolean | readonly ConstantValue[];

export type UnaryOperator = '-' | '!' | '~';
export type BinaryOperator =
  '+' | '-' | '*' | '/' | '%' | '&' | '|' | '^' | '<<' | '>>' | '==' | '!=' | '<' | '<=' | '>' | '>=';

interface Node {
  readonly span: Span;
}

/** A memory location: what can be assigned to, loaded from and pointed at. `type` is the type it stores. */
export type Place = Node & { readonly type: WgslType } & (
    | { readonly kind: 'variable'; readonly variable: Variable }
    | { readonly kind: 'dereference'; readonly pointer: Expression }
    /** An element of an array, a column of a matrix or a component of a vector. The index is i32 or u32. */
    | { readonly kind: 'element'; readonly base: Place; readonly index: Expression }
    | { readonly kind: 'member'; readonly base: Place; readonly member: number }
  );

export type AtomicOperation =
  | 'atomicLoad'
  | 'atomicStore'
  | 'atomicAdd'
  | 'atomicSub'
  | 'atomicMax'
  | 'atomicMin'
  | 'atomicAnd'
  | 'atomicOr'
  | 'atomicXor'
  | 'atomicExchange'
  | 'atomicCompareExchangeWeak';

export type Expression = Node & { readonly type: ValueType } & (
    | { readonly kind: 'constant'; readonly value: ConstantValue }
    | { readonly kind: 'value'; readonly value: Value }
    | { readonly kind: 'load'; readonly place: Place }
    | { readonly kind: 'address'; readonly place: Place }
    | { readonly kind: 'unary'; readonly operator: UnaryOperator; readonly operand: Expression }
    /**
     * Operands as WGSL has them: two scalars, two vectors, a vector and a scalar, or matrices with scalars, vectors and
     * matrices. Abstract operands are already constants of the concrete type.
     */
    | {
        readonly kind: 'binary';
        readonly operator: BinaryOperator;
        readonly left: Expression;
        readonly right: Expression;
      }
    /** Short-circuit: `right` is evaluated only where `left` does not decide. Scalar booleans. */
    | {
        readonly kind: 'logical';
        readonly operator: '&&' | '||';
        readonly left: Expression;
        readonly right: Expression;
      }
    /**
     * A vector, matrix, array or struct from its parts. Vector: scalars and vectors whose widths add up, or one scalar
     * for all components. Matrix: its columns, or all its scalars column by column. Array and struct: one part each.
     * Subgroup matrix: one scalar for all elements.
     */
    | { readonly kind: 'construct'; readonly parts: readonly Expression[] }
    /** A scalar, vector or matrix converted component by component to the scalar type of `type`. */
    | { readonly kind: 'convert'; readonly operand: Expression }
    | { readonly kind: 'bitcast'; readonly operand: Expression }
    /** An element of an array, column of a matrix or component of a vector that is a value, not a place. */
    | { readonly kind: 'element'; readonly base: Expression; readonly index: Expression }
    | { readonly kind: 'member'; readonly base: Expression; readonly member: number }
    /** Components 0 to 3 of a vector: one gives a scalar, more a vector. */
    | { readonly kind: 'swizzle'; readonly base: Expression; readonly components: readonly number[] }
    | { readonly kind: 'call'; readonly function: FunctionDefinition; readonly args: readonly Expression[] }
    /** A built-in function of values alone: `dot`, `exp2`, `select`, `unpack2x16float`, … */
    | { readonly kind: 'builtin'; readonly name: string; readonly args: readonly Expression[] }
    | { readonly kind: 'array-length'; readonly pointer: Expression }
    | {
        readonly kind: 'atomic';
        readonly operation: AtomicOperation;
        readonly pointer: Expression;
        readonly args: readonly Expression[];
      }
    /** Loads through the pointer for the whole workgroup: a barrier before and one after. */
    | { readonly kind: 'uniform-load'; readonly pointer: Expression }
    /** `subgroupAdd`, `subgroupShuffle`, `quadSwapX`, …; values meet those of the other invocations of the subgroup. */
    | { readonly kind: 'subgroup'; readonly name: string; readonly args: readonly Expression[] }
    /**
     * `subgroupMatrixLoad` (pointer, offset, whether column by column, stride), `subgroupMatrixMultiply` (left, right),
     * `subgroupMatrixMultiplyAccumulate` (left, right, sum) and `subgroupMatrixScalarAdd`, `-Subtract` and `-Multiply`
     * (matrix, scalar). The order in memory is always a constant. `unitBytes`: what a load's offset and stride count in
     * (elements of the array, or of the matrix in the older form), else 0.
     */
    | {
        readonly kind: 'subgroup-matrix';
        readonly name: SubgroupMatrixFunction;
        readonly args: readonly Expression[];
        readonly unitBytes: number;
      }
  );

/** The functions on subgroup matrices that give one. */
export type SubgroupMatrixFunction =
  | 'subgroupMatrixLoad'
  | 'subgroupMatrixMultiply'
  | 'subgroupMatrixMultiplyAccumulate'
  | 'subgroupMatrixScalarAdd'
  | 'subgroupMatrixScalarSubtract'
  | 'subgroupMatrixScalarMultiply';

export type Statement = Node &
  (
    | { readonly kind: 'block'; readonly body: readonly Statement[] }
    /** The life of a function's variable begins: it takes the initializer's value, or zero where that is null. */
    | { readonly kind: 'declare'; readonly variable: Variable; readonly initializer: Expression | null }
    | { readonly kind: 'let'; readonly value: Value; readonly initializer: Expression }
    | { readonly kind: 'assign'; readonly place: Place; readonly value: Expression }
    /** `place op= value`, `place++` and `place--`: the place is evaluated once, before the value. */
    | {
        readonly kind: 'update';
        readonly place: Place;
        readonly operator: BinaryOperator;
        readonly value: Expression;
      }
    /** A call for its effects, or `_ = expression`. */
    | { readonly kind: 'evaluate'; readonly expression: Expression }
    | {
        readonly kind: 'if';
        readonly condition: Expression;
        readonly then: readonly Statement[];
        readonly otherwise: readonly Statement[];
      }
    /**
     * `for`, `while` and `loop`. Once: `init`. Each time round: end where `condition` is false; `body`; then (also after
     * `continue`) `continuing`; end where `breakIf` is true. Names of the body are visible in `continuing` and `breakIf`.
     */
    | {
        readonly kind: 'loop';
        readonly init: readonly Statement[];
        readonly condition: Expression | null;
        readonly body: readonly Statement[];
        readonly continuing: readonly Statement[];
        readonly breakIf: Expression | null;
      }
    /** No fall-through. Exactly one clause is the default. */
    | {
        readonly kind: 'switch';
        readonly selector: Expression;
        readonly clauses: readonly {
          readonly values: readonly number[];
          readonly isDefault: boolean;
          readonly body: readonly Statement[];
        }[];
      }
    | { readonly kind: 'break' }
    | { readonly kind: 'continue' }
    | { readonly kind: 'return'; readonly value: Expression | null }
    | { readonly kind: 'barrier'; readonly scope: 'workgroup' | 'storage' | 'subgroup' }
    /** `subgroupMatrixStore` (pointer, offset, matrix, whether column by column, stride); `unitBytes` as of a load. */
    | { readonly kind: 'subgroup-matrix-store'; readonly args: readonly Expression[]; readonly unitBytes: number }
  );
