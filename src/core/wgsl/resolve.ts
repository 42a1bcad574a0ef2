import type {
  AliasElem,
  AttributeElem,
  ConstElem,
  ExpressionElem,
  OverrideElem,
  StructElem,
  TypeRefElem,
  WeslAST,
} from 'wesl/core';
import type { Severity } from '../diagnostic.js';
import { convertConst, type ConstValue, evaluateTyped } from './evaluate.js';
import type { Synthesis } from './synthesis.js';
import type { Scalar, StructMember, WgslType } from './types.js';

/** Reports a problem with a range of the code. */
export type Report = (
  severity: Severity,
  code: string,
  start: number,
  end: number,
  message: string,
  remedy: string | null,
) => void;

const scalarNames: Readonly<Record<string, Scalar>> = { f32: 'f32', f16: 'f16', i32: 'i32', u32: 'u32', bool: 'bool' };
const suffixes: Readonly<Record<string, Scalar>> = { f: 'f32', h: 'f16', i: 'i32', u: 'u32' };
const deepestConst = 200;
const deepestType = 100;
const largestCount = 2 ** 32;

/** Resolves the types and constant expressions of one parsed module. `code` has its comments blanked. */
export class Resolver {
  private readonly consts = new Map<string, ConstElem>();
  private readonly overrides = new Map<string, OverrideElem>();
  private readonly structs = new Map<string, StructElem>();
  private readonly aliases = new Map<string, AliasElem>();
  private readonly values = new Map<string, ConstValue | null>();
  private readonly named = new Map<string, WgslType>();
  private readonly scalars = new Map<string, Scalar | null>();
  private depth = 0;

  constructor(
    ast: WeslAST,
    private readonly code: string,
    private readonly synthesis: Synthesis,
    private readonly report: Report,
  ) {
    for (const elem of ast.moduleElem.decls) {
      if (elem.kind === 'const') this.consts.set(elem.name.decl.ident.originalName, elem);
      if (elem.kind === 'override') this.overrides.set(elem.name.decl.ident.originalName, elem);
      if (elem.kind === 'struct') this.structs.set(elem.name.ident.originalName, elem);
      if (elem.kind === 'alias') this.aliases.set(elem.name.ident.originalName, elem);
    }
    // In order, so that a long chain of constants is not followed in one go.
    for (const name of this.consts.keys()) this.constant(name);
    for (const name of this.overrides.keys()) this.overrideScalar(name);
  }

  /** The text of an expression with the module's constants put in, so that it names nothing but overrides. */
  text(expression: ExpressionElem): string {
    const source = this.code.slice(expression.start, expression.end);
    return source.replace(/(?<![\p{XID_Continue}.])[\p{XID_Start}_]\p{XID_Continue}*(?!\s*\()/gu, (name) => {
      const value = this.constant(name);
      if (value !== null) return constText(value);
      const scalar = this.overrideScalar(name);
      return scalar === 'f32' || scalar === 'f16' ? `${scalar}(${name})` : name;
    });
  }

  /** The value of an expression that names no override, else null. */
  evaluate(expression: ExpressionElem): ConstValue | null {
    const text = this.code.slice(expression.start, expression.end);
    return evaluateTyped(text, (name) => this.constant(name)) ?? this.synthesis.constant(expression);
  }

  /** The value of the only argument of an attribute, e.g. 4 for `@align(4)`; null where absent or not constant. */
  attributeValue(attributes: readonly AttributeElem[] | undefined, name: string): number | null {
    const argument = attributeArguments(attributes, name)?.[0];
    return argument === undefined ? null : (this.evaluate(argument)?.value ?? null);
  }

  /** Whether an expression names an override, directly or through nothing but text. */
  namesOverride(text: string): boolean {
    return [...text.matchAll(/[\p{XID_Start}_]\p{XID_Continue}*/gu)].some(([name]) => this.overrides.has(name));
  }

  private constant(name: string): ConstValue | null {
    const known = this.values.get(name);
    if (known !== undefined) return known;
    const elem = this.consts.get(name);
    if (elem?.init === undefined || this.depth > deepestConst) return null;
    this.values.set(name, null);
    this.depth += 1;
    const value = this.evaluate(elem.init);
    this.depth -= 1;
    const declared = elem.name.typeRef === undefined ? null : this.scalarNamed(elem.name.typeRef.name.originalName);
    const typed = value !== null && declared !== null ? convertConst(value, declared) : value;
    this.values.set(name, typed);
    return typed;
  }

  /** The scalar type a name stands for, through aliases. */
  private scalarNamed(name: string): Scalar | null {
    let target = name;
    for (let hops = 0; hops < deepestType; hops++) {
      if (Object.hasOwn(scalarNames, target)) return scalarNames[target]!;
      const alias = this.aliases.get(target);
      if (alias === undefined || alias.typeRef.templateParams !== undefined) return null;
      target = alias.typeRef.name.originalName;
    }
    return null;
  }

  /** The type of an override, as declared or as its default has it; null where neither says. */
  overrideScalar(name: string): Scalar | null {
    const known = this.scalars.get(name);
    if (known !== undefined) return known;
    const elem = this.overrides.get(name);
    if (elem === undefined || this.depth > deepestConst) return null;
    this.scalars.set(name, null);
    const { typeRef } = elem.name;
    let scalar = typeRef === undefined ? null : this.scalarNamed(typeRef.name.originalName);
    if (typeRef === undefined && elem.init !== undefined) {
      this.depth += 1;
      const value = evaluateTyped(this.code.slice(elem.init.start, elem.init.end), (inner) => {
        const type = this.overrideScalar(inner);
        return type === null ? this.constant(inner) : { value: 1, type };
      });
      this.depth -= 1;
      if (value !== null) {
        scalar = value.type === 'abstract-int' ? 'i32' : value.type === 'abstract-float' ? 'f32' : value.type;
      }
    }
    this.scalars.set(name, scalar);
    return scalar;
  }

  /** The type a reference stands for; `unknown` (reported, unless its name is undeclared) where it stands for none. */
  type(ref: TypeRefElem): WgslType {
    return this.typeNamed(ref.name.originalName, ref.templateParams ?? [], ref.start, ref.end);
  }

  private typeOfParameter(parameter: ExpressionElem): WgslType {
    if (parameter.kind === 'type') return this.type(parameter);
    if (parameter.kind === 'ref') {
      return this.typeNamed(parameter.ident.originalName, [], parameter.start, parameter.end);
    }
    const { start, end } = parameter;
    this.report(
      'error',
      'not-a-type',
      start,
      end,
      `${this.code.slice(start, end)} is not a type.`,
      'Name a type here.',
    );
    return { kind: 'unknown', text: this.code.slice(start, end) };
  }

  private typeNamed(name: string, parameters: readonly ExpressionElem[], start: number, end: number): WgslType {
    const unknown: WgslType = { kind: 'unknown', text: this.code.slice(start, end) };
    if (this.depth > deepestType) {
      const remedy = 'Nest types less deeply.';
      this.report('warning', 'type-depth', start, end, `This type is nested more than ${deepestType} deep.`, remedy);
      return unknown;
    }
    this.depth += 1;
    try {
      if (this.aliases.has(name) || this.structs.has(name)) return this.declared(name, start, end);
      return this.predeclared(name, parameters, start, end) ?? unknown;
    } finally {
      this.depth -= 1;
    }
  }

  private declared(name: string, start: number, end: number): WgslType {
    const known = this.named.get(name);
    if (known !== undefined) {
      if (known.kind === 'unknown' && known.text === `cyclic ${name}`) {
        const remedy = 'A type cannot contain itself: break the cycle.';
        this.report('error', 'type-cycle', start, end, `Type ${name} contains itself.`, remedy);
      }
      return known;
    }
    this.named.set(name, { kind: 'unknown', text: `cyclic ${name}` });
    const alias = this.aliases.get(name);
    const struct = this.structs.get(name);
    const type = alias !== undefined ? this.type(alias.typeRef) : this.struct(name, struct!);
    this.named.set(name, type);
    return type;
  }

  private struct(name: string, elem: StructElem): WgslType {
    const members = elem.members.map((member): StructMember => {
      const align = this.attributeValue(member.attributes, 'align');
      const size = this.attributeValue(member.attributes, 'size');
      const isPowerOfTwo = align !== null && Number.isInteger(Math.log2(align));
      if (align !== null && !isPowerOfTwo) {
        const { start, end } = member.name;
        this.report('error', 'align', start, end, `@align(${align}) is not a power of two.`, 'Write 4, 8, 16, …');
      }
      return {
        name: member.name.name,
        type: this.type(member.typeRef),
        align: isPowerOfTwo ? align : null,
        size: size !== null && Number.isInteger(size) && size > 0 ? size : null,
      };
    });
    return { kind: 'struct', name, members };
  }

  private predeclared(
    name: string,
    parameters: readonly ExpressionElem[],
    start: number,
    end: number,
  ): WgslType | null {
    if (Object.hasOwn(scalarNames, name)) return { kind: 'scalar', scalar: scalarNames[name]! };
    const [first, second] = parameters;
    const vector = /^vec([234])([fhiu])?$/.exec(name);
    if (vector !== null) {
      const scalar = vector[2] === undefined ? this.scalarParameter(first) : suffixes[vector[2]]!;
      return scalar === null ? null : { kind: 'vector', width: Number(vector[1]) as 2 | 3 | 4, scalar };
    }
    const matrix = /^mat([234])x([234])([fh])?$/.exec(name);
    if (matrix !== null) {
      const scalar = matrix[3] === undefined ? this.scalarParameter(first) : suffixes[matrix[3]]!;
      if (scalar !== 'f32' && scalar !== 'f16') return null;
      const [columns, rows] = [Number(matrix[1]), Number(matrix[2])] as [2 | 3 | 4, 2 | 3 | 4];
      return { kind: 'matrix', columns, rows, scalar };
    }
    if (name === 'atomic') {
      const scalar = this.scalarParameter(first);
      return scalar === 'i32' || scalar === 'u32' ? { kind: 'atomic', scalar } : null;
    }
    if (name === 'array' && first !== undefined) {
      const count = second === undefined ? null : this.count(second);
      const element = this.typeOfParameter(first);
      return count === 'bad' ? null : { kind: 'array', element, count: count === null ? null : count.count };
    }
    if (this.consts.has(name) || this.overrides.has(name)) {
      this.report('error', 'not-a-type', start, end, `${name} is a value, not a type.`, 'Name a type here.');
    }
    return null;
  }

  private scalarParameter(parameter: ExpressionElem | undefined): Scalar | null {
    if (parameter === undefined) return null;
    const name = parameter.kind === 'ref' ? parameter.ident.originalName : null;
    return name === null ? null : this.scalarNamed(name);
  }

  private count(expression: ExpressionElem): { readonly count: number | string } | 'bad' {
    const value = this.evaluate(expression)?.value ?? null;
    const { start, end } = expression;
    if (value === null) {
      const text = this.text(expression);
      if (this.namesOverride(text)) return { count: text };
      const remedy = 'Use number literals, const or override declarations, operators and built-in functions.';
      this.report('warning', 'array-count', start, end, 'The value of this array count cannot be told.', remedy);
      return 'bad';
    }
    if (!Number.isInteger(value) || value < 1 || value > largestCount) {
      this.report(
        'error',
        'array-count',
        start,
        end,
        `An array cannot have ${value} elements.`,
        'Use a positive integer.',
      );
      return 'bad';
    }
    return { count: value };
  }
}

/** The arguments of the attribute with this name, or null where it is absent. */
export function attributeArguments(
  attributes: readonly AttributeElem[] | undefined,
  name: string,
): readonly ExpressionElem[] | null {
  for (const { attribute } of attributes ?? []) {
    if (attribute.kind === '@attribute' && attribute.name === name) {
      return (attribute.params ?? []).map((parameter) => parameter.expression);
    }
  }
  return null;
}

/** A constant as a WGSL expression that keeps its type. */
function constText({ value, type }: ConstValue): string {
  if (type === 'bool') return value !== 0 ? 'true' : 'false';
  if (type === 'abstract-int') return value < 0 ? `(${value})` : `${value}`;
  if (type === 'u32') return `${value}u`;
  const digits = Number.isInteger(value) && type !== 'i32' ? value.toFixed(1) : `${value}`;
  return type === 'abstract-float' ? (value < 0 ? `(${digits})` : digits) : `${type}(${digits})`;
}
