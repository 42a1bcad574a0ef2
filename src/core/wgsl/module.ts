import type { Diagnostic, Span } from '../diagnostic.js';
import type { Scalar, WgslType } from './types.js';

/** An `override` declaration. `defaultValue` is null where the WGSL gives none (a value must then come from outside). */
export interface Override {
  readonly name: string;
  readonly scalar: Scalar;
  readonly id: number | null;
  readonly defaultValue: number | null;
  /** Text of the default expression where it is not a plain constant (it may name other overrides), else null. */
  readonly defaultText: string | null;
  readonly span: Span;
  readonly nameSpan: Span;
}

/** A module-scope `var` in the storage or uniform address space with `@group` and `@binding`. */
export interface Binding {
  readonly name: string;
  readonly group: number;
  readonly binding: number;
  readonly space: 'storage' | 'uniform';
  readonly access: 'read' | 'read_write';
  readonly type: WgslType;
  readonly span: Span;
  readonly nameSpan: Span;
  readonly typeSpan: Span;
}

/** A module-scope `var<workgroup>`. */
export interface WorkgroupVariable {
  readonly name: string;
  readonly type: WgslType;
  readonly span: Span;
}

/** A `@compute` function. `workgroupSize` holds the expressions as written, one to three of them. */
export interface EntryPoint {
  readonly name: string;
  readonly workgroupSize: readonly string[];
  /** The whole declaration, attributes included. */
  readonly span: Span;
  readonly nameSpan: Span;
  /** Names of the bindings and workgroup variables it uses, itself or through the functions it calls. */
  readonly uses: ReadonlySet<string>;
}

/**
 * What a WGSL text declares. Every span points into the text the user wrote, even through the preprocessor;
 * `code` is the text after the preprocessor, which is what the driver compiles.
 */
export interface WgslModule {
  readonly source: string;
  readonly code: string;
  /** `enable` directives: the extension names and where they stand. */
  readonly enables: readonly { readonly name: string; readonly span: Span }[];
  readonly overrides: readonly Override[];
  readonly bindings: readonly Binding[];
  readonly workgroupVariables: readonly WorkgroupVariable[];
  readonly entryPoints: readonly EntryPoint[];
  /** Syntax errors, unresolved names and types, preprocessor errors. Empty for a good module. */
  readonly diagnostics: readonly Diagnostic[];
  /** Maps an offset in `code` to the offset in `source` it came from. */
  readonly toSource: (codeOffset: number) => number;
}
