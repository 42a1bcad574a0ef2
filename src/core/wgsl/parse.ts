import type { AbstractElem, FnElem, GlobalVarElem, WeslAST } from 'wesl/core';
import type { Diagnostic, Severity, Span } from '../diagnostic.js';
import type { Binding, EntryPoint, Override, WgslModule, WorkgroupVariable } from './module.js';
import { uniformLayoutProblem } from './layout.js';
import { isPredeclared, nearestName } from './names.js';
import { preprocess, type Preprocessed } from './preprocess.js';
import { reachable, type References } from './references.js';
import { attributeArguments, Resolver } from './resolve.js';
import { Synthesis } from './synthesis.js';
import { type Syntax, syntaxOf, type SyntaxTree } from './syntax.js';
import { syntaxRemedy } from './syntax-help.js';
import type { WgslType } from './types.js';
import { unknownWords } from './vocabulary.js';

/** Longest text that is parsed, in UTF-16 units, before and after the preprocessor. */
const longestText = 2_000_000;
const mostDiagnostics = 100;

/**
 * Reads a WGSL text: what it declares, and what is certainly wrong with it. `defines` are macros for the preprocessor.
 * Never throws; a text that cannot be read gives a module that is empty but for its diagnostics.
 */
export function parseWgsl(source: string, defines: Readonly<Record<string, string>> = {}): WgslModule {
  if (source.length > longestText) return tooLong(source, preprocess('', {}));
  const preprocessed = preprocess(source, defines);
  if (preprocessed.code.length > longestText) return tooLong(source, preprocessed);
  return new ModuleReader(source, preprocessed).read();
}

function tooLong(source: string, { code, toSource }: Preprocessed): WgslModule {
  const message = `This text is longer than ${longestText} characters${source.length > longestText ? '' : ' once its macros are expanded'}.`;
  const remedy = 'Split it: Tilescope reads one kernel at a time.';
  const span = { start: 0, end: Math.min(1, source.length) };
  const diagnostics: Diagnostic[] = [{ code: 'wgsl-too-long', severity: 'error', span, message, remedy }];
  return { ...emptyModule(source, code, toSource), diagnostics };
}

function emptyModule(source: string, code: string, toSource: (offset: number) => number): WgslModule {
  const none = { enables: [], overrides: [], bindings: [], workgroupVariables: [], entryPoints: [], diagnostics: [] };
  return { source, code, toSource, ...none };
}

/** Reads one preprocessed text into a module. */
class ModuleReader {
  private readonly diagnostics: Diagnostic[];
  private readonly syntax: Syntax;

  constructor(
    private readonly source: string,
    private readonly preprocessed: Preprocessed,
  ) {
    this.diagnostics = [...preprocessed.diagnostics];
    this.syntax = syntaxOf(preprocessed.code);
  }

  /** The code without comments. */
  private get text(): string {
    return this.syntax.text;
  }

  read(): WgslModule {
    const { source } = this;
    const { code, toSource } = this.preprocessed;
    const empty = emptyModule(source, code, toSource);
    const { unclosed: at } = this.syntax;
    if (at !== null) {
      this.report('error', 'unclosed-comment', at, at + 2, 'This block comment has no end.', 'Close it with */.');
      return { ...empty, diagnostics: this.diagnostics };
    }
    try {
      return { ...empty, ...this.declarations(this.syntax.tree), diagnostics: this.diagnostics };
    } catch (error) {
      this.reportFailure(error);
      return { ...empty, diagnostics: this.diagnostics };
    }
  }

  /** The parser gave up, which it does on texts nested or chained beyond all reason. */
  private reportFailure(error: unknown): void {
    const isDeep = error instanceof RangeError;
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
    const message = isDeep
      ? 'This text is nested too deeply to be read.'
      : `The parser cannot read this text: ${reason}`;
    const remedy = isDeep ? 'Split the longest expressions and the deepest blocks.' : 'Simplify the last change.';
    this.report('error', 'unreadable', 0, Math.min(1, this.text.length), message, remedy);
  }

  private span(start: number, end: number): Span {
    const { start: from, end: to } = this.preprocessed.toSourceSpan(start, end);
    const limit = this.source.length;
    return { start: Math.min(from, limit), end: Math.min(Math.max(from, to), limit) };
  }

  private report(
    severity: Severity,
    code: string,
    start: number,
    end: number,
    message: string,
    remedy: string | null,
  ): void {
    if (this.diagnostics.length >= mostDiagnostics) return;
    this.diagnostics.push({ code: `wgsl-${code}`, severity, span: this.span(start, end), message, remedy });
  }

  private declarations({
    ast,
    references,
  }: SyntaxTree): Pick<WgslModule, 'enables' | 'overrides' | 'bindings' | 'workgroupVariables' | 'entryPoints'> {
    const hasSyntaxErrors = this.reportSyntax(ast);
    const synthesis = new Synthesis(references.targets);
    const resolver = new Resolver(ast, this.text, synthesis, (...finding) => this.report(...finding));
    // After a syntax error parts of the text are missing, and names would be called undeclared that are not.
    if (!hasSyntaxErrors) {
      this.reportDuplicates(ast);
      this.reportUndeclared(
        references,
        this.enables(ast).map(({ name }) => name),
      );
      this.reportUnknownWords();
      for (const elem of ast.moduleElem.decls) this.reportMissingMembers(elem, synthesis);
    }
    const overrides: Override[] = [];
    const bindings: Binding[] = [];
    const workgroupVariables: WorkgroupVariable[] = [];
    for (const elem of ast.moduleElem.decls) {
      if (elem.kind === 'override') overrides.push(this.override(elem, resolver));
      if (elem.kind !== 'gvar') continue;
      const binding = this.binding(elem, resolver);
      if (binding !== null) bindings.push(binding);
      const shared = elem.template?.some(({ name }) => name === 'workgroup') === true;
      if (shared) workgroupVariables.push(this.workgroupVariable(elem, resolver));
    }
    const held = new Set([...bindings, ...workgroupVariables].map(({ name }) => name));
    const entryPoints = ast.moduleElem.decls.flatMap((elem) => {
      const entry = elem.kind === 'fn' ? this.entryPoint(elem, resolver, references, held) : null;
      return entry === null ? [] : [entry];
    });
    this.reportClashes(bindings, entryPoints);
    return { enables: this.enables(ast), overrides, bindings, workgroupVariables, entryPoints };
  }

  /** Syntax errors, and syntax of WESL that is none of WGSL. Tells whether there was any. */
  private reportSyntax(ast: WeslAST): boolean {
    for (const { message, start, end } of ast.diagnostics) {
      // An error "after" something is an empty range before the next word: show the character it comes after.
      const from = end > start ? start : Math.max(0, this.text.slice(0, start).trimEnd().length - 1);
      const to = end > start ? end : Math.min(this.text.length, from + 1);
      const found = this.text.slice(start, end);
      this.report('error', 'syntax', from, to, ...syntaxRemedy(message, found));
    }
    let isWgsl = ast.diagnostics.length === 0;
    for (const elem of ast.moduleElem.decls) {
      if (elem.kind !== 'import') continue;
      isWgsl = false;
      const remedy = 'Put the imported declarations into this file.';
      this.report('error', 'import', elem.start, elem.end, 'import is not WGSL: no device takes it.', remedy);
    }
    for (const match of this.text.matchAll(/@[ \t]*(?:if|elif|else)\b/g)) {
      isWgsl = false;
      const end = match.index + match[0].length;
      const remedy = 'Use #if of the preprocessor, or an override.';
      this.report('error', 'condition', match.index, end, `${match[0]} is not WGSL: no device takes it.`, remedy);
    }
    return !isWgsl;
  }

  private reportUndeclared({ undeclared, byDeclaration }: References, enabled: readonly string[]): void {
    for (const { name, start, end } of undeclared) {
      if (this.diagnostics.length >= mostDiagnostics) return;
      const known = isPredeclared(name, enabled);
      if (known === 'yes') continue;
      const near = nearestName(name, byDeclaration.keys());
      const remedy = near === null ? `Declare ${name}, or correct its spelling.` : `Did you mean ${near}?`;
      const severity = known === 'perhaps' ? 'warning' : 'error';
      this.report(severity, 'undeclared', start, end, `Nothing declares ${name}.`, remedy);
    }
  }

  private reportUnknownWords(): void {
    for (const { what, word, start, end, near } of unknownWords(this.text)) {
      const remedy = near === null ? `Check whether the device knows ${word}.` : `Did you mean ${near}?`;
      // A word like no known one may be of a newer device.
      this.report(
        near === null ? 'warning' : 'error',
        'unknown-word',
        start,
        end,
        `${word} is not ${what} of WGSL.`,
        remedy,
      );
    }
  }

  private reportMissingMembers(elem: AbstractElem, synthesis: Synthesis): void {
    if (elem.kind !== 'fn' && elem.kind !== 'const' && elem.kind !== 'override') return;
    for (const { name, start, end, typeName, members } of synthesis.missingMembers(elem)) {
      const near = members === null ? null : nearestName(name, members);
      const known = members === null ? 'Components are x y z w or r g b a.' : `Members are ${members.join(', ')}.`;
      const remedy = near === null ? known : `Did you mean ${near}?`;
      this.report('error', 'no-member', start, end, `${typeName} has no member ${name}.`, remedy);
    }
  }

  private reportDuplicates(ast: WeslAST): void {
    const seen = new Set<string>();
    for (const elem of ast.moduleElem.decls) {
      const ident = declaredIdent(elem);
      if (ident === null) continue;
      const { name, start, end } = ident;
      if (seen.has(name)) {
        const message = `${name} is declared a second time in this module.`;
        this.report('error', 'duplicate', start, end, message, 'Rename one of the two.');
      }
      seen.add(name);
    }
  }

  private enables(ast: WeslAST): WgslModule['enables'] {
    return ast.moduleElem.decls.flatMap((elem) => {
      if (elem.kind !== 'directive' || elem.directive.kind !== 'enable') return [];
      return elem.directive.extensions.map(({ name, start, end }) => ({ name, span: this.span(start, end) }));
    });
  }

  private override(elem: Extract<AbstractElem, { kind: 'override' }>, resolver: Resolver): Override {
    const { decl } = elem.name;
    const name = decl.ident.originalName;
    const value = elem.init === undefined ? null : resolver.evaluate(elem.init);
    const scalar = resolver.overrideScalar(name);
    if (scalar === null) {
      const remedy = 'Give it one of the types f32, f16, i32, u32 and bool.';
      this.report(
        'warning',
        'override-type',
        decl.start,
        decl.end,
        `The type of override ${name} cannot be told.`,
        remedy,
      );
    }
    return {
      name,
      scalar: scalar ?? 'u32',
      id: resolver.attributeValue(elem.attributes, 'id'),
      defaultValue: value?.value ?? null,
      defaultText: elem.init === undefined || value !== null ? null : resolver.text(elem.init),
      span: this.span(elem.start, elem.end),
      nameSpan: this.span(decl.start, decl.end),
    };
  }

  private variableType(elem: GlobalVarElem, resolver: Resolver): WgslType {
    const { typeRef } = elem.name;
    return typeRef === undefined ? { kind: 'unknown', text: '' } : resolver.type(typeRef);
  }

  private binding(elem: GlobalVarElem, resolver: Resolver): Binding | null {
    const { decl, typeRef } = elem.name;
    const name = decl.ident.originalName;
    const words = elem.template?.map((word) => word.name) ?? [];
    const space = words.find((word) => word === 'storage' || word === 'uniform');
    const isResource = attributeArguments(elem.attributes, 'binding') !== null;
    if (space !== 'storage' && space !== 'uniform') {
      if (isResource) {
        const remedy = 'Pass the data in a storage or uniform buffer.';
        this.report(
          'warning',
          'resource',
          decl.start,
          decl.end,
          `${name} is no buffer: Tilescope gives kernels only buffers.`,
          remedy,
        );
      }
      return null;
    }
    const group = resolver.attributeValue(elem.attributes, 'group');
    const binding = resolver.attributeValue(elem.attributes, 'binding');
    if (group === null || binding === null) {
      const what = group === null ? '@group' : '@binding';
      const remedy = `Write @group(0) @binding(n) before var, with constant numbers.`;
      this.report(
        'error',
        'binding',
        decl.start,
        decl.end,
        `The ${space} variable ${name} has no ${what} number.`,
        remedy,
      );
      return null;
    }
    const type = this.variableType(elem, resolver);
    const [typeStart, typeEnd] = typeRef === undefined ? [decl.start, decl.end] : [typeRef.start, typeRef.end];
    const problem = space === 'uniform' ? uniformLayoutProblem(type) : null;
    if (problem !== null) {
      this.report('warning', 'uniform-layout', typeStart, typeEnd, `${problem}.`, 'Some devices reject this layout.');
    }
    return {
      name,
      group,
      binding,
      space,
      access: space === 'storage' && words.includes('read_write') ? 'read_write' : 'read',
      type,
      span: this.span(elem.start, elem.end),
      nameSpan: this.span(decl.start, decl.end),
      typeSpan: this.span(typeStart, typeEnd),
    };
  }

  private workgroupVariable(elem: GlobalVarElem, resolver: Resolver): WorkgroupVariable {
    const name = elem.name.decl.ident.originalName;
    return { name, type: this.variableType(elem, resolver), span: this.span(elem.start, elem.end) };
  }

  private entryPoint(
    elem: FnElem,
    resolver: Resolver,
    references: References,
    held: ReadonlySet<string>,
  ): EntryPoint | null {
    if (attributeArguments(elem.attributes, 'compute') === null) return null;
    const { start, end, ident } = elem.name;
    const name = ident.originalName;
    const size = attributeArguments(elem.attributes, 'workgroup_size') ?? [];
    if (size.length === 0) {
      const remedy = 'Write @workgroup_size(64) before fn.';
      this.report('error', 'workgroup-size', start, end, `Entry point ${name} has no @workgroup_size.`, remedy);
    }
    const used = reachable(name, references.byDeclaration);
    return {
      name,
      workgroupSize: size.map((expression) => resolver.text(expression)),
      span: this.span(elem.start, elem.end),
      nameSpan: this.span(start, end),
      uses: new Set([...held].filter((variable) => used.has(variable))),
    };
  }

  /** Two bindings of one entry point at the same place: WGSL allows them only in different entry points. */
  private reportClashes(bindings: readonly Binding[], entryPoints: readonly EntryPoint[]): void {
    for (const [index, binding] of bindings.entries()) {
      const clash = bindings.slice(0, index).find((earlier) => {
        const same = earlier.group === binding.group && earlier.binding === binding.binding;
        return same && entryPoints.some(({ uses }) => uses.has(earlier.name) && uses.has(binding.name));
      });
      if (clash === undefined || this.diagnostics.length >= mostDiagnostics) continue;
      const place = `@group(${binding.group}) @binding(${binding.binding})`;
      this.diagnostics.push({
        code: 'wgsl-binding-clash',
        severity: 'error',
        span: binding.nameSpan,
        message: `${binding.name} and ${clash.name} are both at ${place}, and one entry point uses both.`,
        remedy: 'Give each binding its own number.',
      });
    }
  }
}

/** The name a module-scope declaration declares, and where it stands; null for directives and assertions. */
function declaredIdent(elem: AbstractElem): { name: string; start: number; end: number } | null {
  switch (elem.kind) {
    case 'fn':
    case 'struct':
    case 'alias':
      return { name: elem.name.ident.originalName, start: elem.name.start, end: elem.name.end };
    case 'gvar':
    case 'const':
    case 'override': {
      const { decl } = elem.name;
      return { name: decl.ident.originalName, start: decl.start, end: decl.end };
    }
    default:
      return null;
  }
}
