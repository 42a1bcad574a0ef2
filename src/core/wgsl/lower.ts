import {
  type DeclIdent,
  type ExpressionElem,
  type FnElem,
  type RefIdent,
  type StructElem,
  type TypeRefElem,
  type WeslAST,
} from 'wesl/core';
import type { Diagnostic, Span } from '../diagnostic.js';
import { type AnyType, typeText } from './abstract-types.js';
import { type CodeRange, type Entity, type Lowering, reject, Rejection, unsupported } from './lower-context.js';
import { checkAssertion, lowerConst } from './lower-declarations.js';
import { lowerEntry } from './lower-entry.js';
import { lowerExpression } from './lower-expressions.js';
import { lowerGlobalVariable, lowerOverride } from './lower-globals.js';
import type { Operand } from './lower-operands.js';
import { lowerBody } from './lower-statements.js';
import { resolveType, structType } from './lower-types.js';
import type { FunctionDefinition, Program, Statement, Value, ValueType, Variable } from './program.js';
import { syntaxRemedy } from './syntax-help.js';
import { type Syntax, syntaxOf, type SyntaxTree } from './syntax.js';

/** Expressions and calls nested deeper than this are not followed: generated code has to keep below it, too. */
const deepest = 400;
const mostDiagnostics = 20;

/** A program, or why there is none. */
export type LoweredProgram =
  | { readonly ok: true; readonly program: Program }
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

/**
 * Makes the typed program of one entry point from WGSL text. `code` is the text after the preprocessor, `toSource`
 * maps its offsets to the kernel file, and `constants` holds the values of the overrides. Never throws: what the
 * simulator does not know, or what is no WGSL at all, is told by diagnostics that point into the kernel file.
 */
export function lowerProgram(
  code: string,
  toSource: (offset: number) => number,
  entry: string,
  constants: Readonly<Record<string, number>>,
): LoweredProgram {
  const syntax = syntaxOf(code);
  const { text, unclosed } = syntax;
  const spanOf = (range: CodeRange): Span => sourceSpan(range, text.length, toSource);
  const failed = (range: CodeRange, message: string, remedy: string | null): LoweredProgram => {
    const diagnostic = {
      code: 'simulator-unsupported',
      severity: 'error',
      span: spanOf(range),
      message,
      remedy,
    } as const;
    return { ok: false, diagnostics: [diagnostic] };
  };
  if (unclosed !== null) {
    return failed({ start: unclosed, end: unclosed + 2 }, 'This block comment has no end.', 'Close it with */.');
  }
  const tree = treeOf(syntax);
  if (tree === null) {
    return failed({ start: 0, end: 1 }, 'The simulator cannot read this text.', 'Split its longest expressions.');
  }
  const [problem] = tree.ast.diagnostics;
  if (problem !== undefined) {
    const [message, remedy] = syntaxRemedy(problem.message, text.slice(problem.start, problem.end));
    return failed(problem, message, remedy);
  }
  return new ProgramLowering(tree, spanOf, constants).lower(entry);
}

/** The tree of a text; null for one that is nested beyond all reason, at which the parser throws. */
function treeOf(syntax: Syntax): SyntaxTree | null {
  try {
    return syntax.tree;
  } catch {
    return null;
  }
}

/**
 * The place of a piece of code in the kernel file. What a macro made is shown by the whole use of the macro: all of its
 * characters come from the same offset, so the end is where the next ones come from.
 */
function sourceSpan({ start, end }: CodeRange, length: number, toSource: (offset: number) => number): Span {
  const first = Math.max(0, Math.min(start, length - 1));
  const from = toSource(first);
  const last = Math.max(first, Math.min(end, length) - 1);
  const lastFrom = toSource(last);
  let next = last + 1;
  while (next < length && toSource(next) === lastFrom) next += 1;
  return { start: from, end: Math.max(from + 1, toSource(next)) };
}

/** Lowers one parsed module, declaration by declaration as the entry point needs them. */
class ProgramLowering implements Lowering {
  private readonly diagnostics: Diagnostic[] = [];
  private readonly ast: WeslAST;
  private readonly targets: ReadonlyMap<RefIdent, DeclIdent>;
  private readonly entities = new Map<DeclIdent, Entity | 'open'>();
  private readonly functions = new Map<FnElem, FunctionDefinition | 'open' | 'broken'>();
  /** In the order in which they were finished: each before its callers. */
  private readonly finished: FunctionDefinition[] = [];
  private readonly variables: Variable[] = [];
  private ids = 0;
  private depth = 0;

  constructor(
    { ast, references }: SyntaxTree,
    readonly span: (range: CodeRange) => Span,
    private readonly constants: Readonly<Record<string, number>>,
  ) {
    this.ast = ast;
    this.targets = references.targets;
  }

  lower(entry: string): LoweredProgram {
    try {
      this.checkAssertions();
      const program = this.program(entry);
      if (this.diagnostics.length === 0) return { ok: true, program };
    } catch (error) {
      if (!(error instanceof Rejection)) throw error;
      if (error.diagnostic !== null) this.report(error.diagnostic);
    }
    return { ok: false, diagnostics: this.diagnostics };
  }

  private program(entry: string): Program {
    const elem = this.ast.moduleElem.decls.find(
      (decl): decl is FnElem => decl.kind === 'fn' && decl.name.ident.originalName === entry,
    );
    if (elem === undefined) {
      return unsupported(this.span({ start: 0, end: 1 }), `There is no function ${entry}.`, 'Name an entry point.');
    }
    const definition = this.callee(elem, elem.name);
    const structs = this.ast.moduleElem.decls.filter((decl): decl is StructElem => decl.kind === 'struct');
    const entryFunction = lowerEntry(this, elem, definition, (name, member) => {
      const struct = structs.find((candidate) => candidate.name.ident.originalName === name);
      return struct?.members[member]?.attributes;
    });
    const variables = this.variables.toSorted((a, b) => a.span.start - b.span.start);
    return { variables, functions: this.finished, entry: entryFunction };
  }

  private checkAssertions(): void {
    for (const elem of this.ast.moduleAsserts ?? []) checkAssertion(this, elem);
  }

  report(diagnostic: Diagnostic): void {
    if (this.diagnostics.length < mostDiagnostics) this.diagnostics.push(diagnostic);
  }

  hasErrors(): boolean {
    return this.diagnostics.length > 0;
  }

  newId(): number {
    this.ids += 1;
    return this.ids;
  }

  bind(ident: DeclIdent, entity: Entity): void {
    this.entities.set(ident, entity);
  }

  entity(ident: RefIdent): Entity | null {
    const target = this.targets.get(ident);
    if (target === undefined) return null;
    const known = this.entities.get(target);
    if (known === 'open') {
      const { start, end } = ident.refIdentElem;
      return reject(this.span({ start, end }), `${ident.originalName} is made of itself.`, 'Break the cycle.');
    }
    return known ?? this.declaration(target);
  }

  /** What a declaration of module scope declares, found out when it is first named. */
  private declaration(ident: DeclIdent): Entity {
    this.entities.set(ident, 'open');
    try {
      const entity = this.nested(ident.declElem ?? { start: 0, end: 1 }, () => this.declared(ident));
      this.entities.set(ident, entity);
      return entity;
    } catch (error) {
      this.entities.set(ident, { kind: 'broken' });
      throw error;
    }
  }

  private declared(ident: DeclIdent): Entity {
    const elem = ident.declElem;
    switch (elem?.kind) {
      case 'const': {
        lowerConst(this, elem);
        const bound = this.entities.get(ident);
        return bound === undefined || bound === 'open' ? { kind: 'broken' } : bound;
      }
      case 'override': {
        const { type, value } = lowerOverride(this, elem, this.constants);
        return { kind: 'constant', constant: { type, value } };
      }
      case 'gvar': {
        const variable = lowerGlobalVariable(this, elem);
        this.variables.push(variable);
        return { kind: 'variable', variable };
      }
      case 'alias':
        return { kind: 'type', type: this.type(elem.typeRef) };
      case 'struct':
        return { kind: 'type', type: structType(this, elem) };
      case 'fn':
        return { kind: 'function', elem };
      default:
        // A local name that is used before its declaration, or whose declaration could not be lowered.
        return { kind: 'broken' };
    }
  }

  operand(expression: ExpressionElem): Operand {
    return this.nested(expression, () => lowerExpression(this, expression));
  }

  type(ref: TypeRefElem): AnyType {
    return this.nested(ref, () => resolveType(this, ref));
  }

  nested<T>(at: CodeRange, step: () => T): T {
    if (this.depth >= deepest) {
      const message = `This is nested more than ${deepest} deep.`;
      return unsupported(this.span(at), message, 'Split it: put parts into variables or functions of their own.');
    }
    this.depth += 1;
    try {
      return step();
    } finally {
      this.depth -= 1;
    }
  }

  callee(elem: FnElem, at: CodeRange): FunctionDefinition {
    const known = this.functions.get(elem);
    if (known === 'open') {
      return reject(
        this.span(at),
        `${elem.name.ident.originalName} calls itself.`,
        'WGSL has no recursion: use a loop.',
      );
    }
    if (known === 'broken') throw new Rejection(null);
    if (known !== undefined) return known;
    this.functions.set(elem, 'open');
    try {
      const definition = this.nested(at, () => this.functionDefinition(elem));
      this.functions.set(elem, definition);
      this.finished.push(definition);
      return definition;
    } catch (error) {
      this.functions.set(elem, 'broken');
      throw error;
    }
  }

  private functionDefinition(elem: FnElem): FunctionDefinition {
    const parameters = elem.params.map((param): Value => {
      const { decl, typeRef } = param.name;
      const nameSpan = this.span(decl);
      const name = decl.ident.originalName;
      if (typeRef === undefined)
        return reject(nameSpan, `Parameter ${name} has no type.`, `Write ${name}: and a type.`);
      const value = { id: this.newId(), name, type: this.valueType(typeRef), nameSpan };
      this.bind(decl.ident, { kind: 'value', value });
      return value;
    });
    const result: ValueType = elem.returnType === undefined ? { kind: 'void' } : this.valueType(elem.returnType);
    const body: Statement[] = lowerBody(this, result, elem);
    const { name } = elem;
    const id = this.newId();
    return {
      id,
      name: name.ident.originalName,
      parameters,
      result,
      body,
      span: this.span(elem),
      nameSpan: this.span(name),
    };
  }

  /** A type that is written for a parameter or a result: those are always concrete. */
  private valueType(ref: TypeRefElem): ValueType {
    const type = this.type(ref);
    if (type.kind !== 'atomic' && type.kind !== 'unknown') return type as ValueType;
    return reject(this.span(ref), `Values cannot be of type ${typeText(type)}.`, 'Pass a pointer to it.');
  }
}
