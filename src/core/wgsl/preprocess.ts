import type { Diagnostic, Span } from '../diagnostic.js';
import { ConditionError, evaluateCondition } from './condition.js';
import { expandUse, type Macro, MacroError } from './macros.js';
import { blankComments, lineEnd, scan } from './scan.js';
import { SourceMapBuilder } from './source-map.js';

/** A `#define` that was in force: its name, its value as written (comments removed), and where its name stands. */
export interface Definition {
  readonly name: string;
  readonly value: string;
  /** Null for `#define N 4`, the parameter names for `#define F(a, b) …`. */
  readonly parameters: readonly string[] | null;
  readonly nameSpan: Span;
}

/** A text after the preprocessor. Line n of `code` stands on line n of the source. */
export interface Preprocessed {
  readonly code: string;
  /** Maps an offset in `code` to the offset in the source it came from (the start of a macro's use inside of one). */
  readonly toSource: (codeOffset: number) => number;
  /** Maps a range of `code` to the range of the source it came from: the whole use where it came from a macro. */
  readonly toSourceSpan: (start: number, end: number) => Span;
  /** The `#define`s that were in force, in order. */
  readonly definitions: readonly Definition[];
  readonly diagnostics: readonly Diagnostic[];
}

/** One open `#if`: whether the lines around it, this branch, and any branch so far are taken. */
interface Conditional {
  readonly opener: Span;
  readonly outer: boolean;
  active: boolean;
  taken: boolean;
  elseSeen: boolean;
}

interface Directive {
  readonly name: string;
  readonly nameSpan: Span;
  /** Text after the name with comments blanked, so that positions in it are `restStart +` index. */
  readonly rest: string;
  readonly restStart: number;
}

const mostErrors = 50;
const mostNested = 500;
const identifier = /^[\p{XID_Start}_]\p{XID_Continue}*/u;

/**
 * Runs the C-like preprocessor that many WGSL kernels are written for: `#define` (also with parameters), `#undef`,
 * `#if #ifdef #ifndef #elif #else #endif`. Comments are left alone. `defines` hold before the first line, as with a
 * compiler's `-D`; the file may define the same names anew. Never throws: mistakes become diagnostics.
 */
export function preprocess(source: string, defines: Readonly<Record<string, string>> = {}): Preprocessed {
  return new Preprocessor(source, defines).run();
}

class Preprocessor {
  private readonly map: SourceMapBuilder;
  private readonly macros = new Map<string, Macro>();
  private readonly conditionals: Conditional[] = [];
  private readonly definitions: Definition[] = [];
  private readonly diagnostics: Diagnostic[] = [];

  constructor(
    private readonly source: string,
    defines: Readonly<Record<string, string>>,
  ) {
    this.map = new SourceMapBuilder(source);
    for (const [name, body] of Object.entries(defines)) this.macros.set(name, { name, parameters: null, body });
  }

  run(): Preprocessed {
    // Most kernels are written without a preprocessor: where nothing can be expanded or left out, nothing is looked for.
    if (this.macros.size === 0 && !this.source.includes('#')) this.map.copy(0, this.source.length);
    else this.lines();
    const { code, toSource, toSourceSpan } = this.map.finish();
    return { code, toSource, toSourceSpan, definitions: this.definitions, diagnostics: this.diagnostics };
  }

  private lines(): void {
    const { source } = this;
    let at = 0;
    let lineIsBlank = true;
    while (at < source.length) {
      if (lineIsBlank && source[at] === '#') {
        at = this.directiveAt(at);
        continue;
      }
      const piece = scan(source, at);
      if (piece.kind === 'newline') lineIsBlank = true;
      else if (piece.kind !== 'blank' && piece.kind !== 'comment') lineIsBlank = false;
      at = this.active() ? this.emit(at, piece.end, piece.kind === 'identifier') : this.drop(at, piece.end);
    }
    for (const open of this.conditionals) {
      this.report('unterminated-if', open.opener, 'This #if has no #endif.', 'Add the missing #endif.');
    }
  }

  private active(): boolean {
    return this.conditionals.at(-1)?.active ?? true;
  }

  private report(code: string, span: Span, message: string, remedy: string | null): void {
    if (this.diagnostics.length < mostErrors) {
      this.diagnostics.push({ code: `preprocessor-${code}`, severity: 'error', span, message, remedy });
    }
  }

  /** Puts one piece of active text into the code, expanded where it is the use of a macro. */
  private emit(start: number, end: number, isName: boolean): number {
    const macro = isName ? this.macros.get(this.source.slice(start, end)) : undefined;
    if (macro === undefined || this.diagnostics.length >= mostErrors) {
      this.map.copy(start, end);
      return end;
    }
    try {
      const use = expandUse(macro, this.source, end, this.macros);
      if (use === null) {
        this.map.copy(start, end);
        return end;
      }
      this.map.substitute(use.text.replace(/[\r\n]+/g, ' '), start, use.end);
      this.map.keepLines(start, use.end);
      return use.end;
    } catch (error) {
      if (!(error instanceof MacroError)) throw error;
      this.report('macro', { start, end }, `Cannot expand this: ${error.message}.`, error.remedy);
      this.map.copy(start, end);
      return end;
    }
  }

  private drop(start: number, end: number): number {
    this.map.keepLines(start, end);
    return end;
  }

  /** Handles the directive whose `#` stands at `hash`; returns where its line ends. */
  private directiveAt(hash: number): number {
    const end = this.directiveEnd(hash);
    this.map.keepLines(hash, end);
    const text = blankComments(this.source.slice(hash, end)).text.replace(/\\(?=\r?\n)/g, ' ');
    const name = /^#[ \t]*([\p{L}\p{N}_]*)/u.exec(text)!;
    const word = name[1]!;
    const nameSpan = { start: hash, end: hash + name[0].length };
    this.handle({ name: word, nameSpan, rest: text.slice(name[0].length), restStart: nameSpan.end });
    return end;
  }

  /** A directive goes to the end of its line, further after a backslash and through a block comment. */
  private directiveEnd(hash: number): number {
    const { source } = this;
    let at = hash;
    while (at < source.length) {
      if (source[at] === '\\' && lineEnd(source, at) === at + 1) {
        at = source.startsWith('\r\n', at + 1) ? at + 3 : at + 2;
        continue;
      }
      const piece = scan(source, at);
      if (piece.kind === 'newline') return at;
      at = piece.end;
    }
    return Math.min(at, source.length);
  }

  private handle(directive: Directive): void {
    switch (directive.name) {
      case 'if':
      case 'ifdef':
      case 'ifndef': {
        this.open(directive);
        return;
      }
      case 'elif':
      case 'else': {
        this.alternative(directive);
        return;
      }
      case 'endif':
        if (this.conditionals.pop() === undefined) this.stray(directive);
        return;
      case 'define':
        if (this.active()) this.define(directive);
        return;
      case 'undef':
        if (this.active()) {
          const name = this.macroName(directive);
          if (name !== null) this.macros.delete(name.text);
        }
        return;
      default:
        if (this.active()) this.unknown(directive);
    }
  }

  private unknown({ name, nameSpan, rest }: Directive): void {
    if (name === 'error') {
      this.report('error', nameSpan, `#error: ${rest.trim()}`, 'The file itself refuses to be compiled this way.');
    } else if (name === 'include') {
      const remedy = 'Put the text into this file: Tilescope compiles one file at a time.';
      this.report('include', nameSpan, '#include is not supported.', remedy);
    } else {
      const remedy = 'Known are #define, #undef, #if, #ifdef, #ifndef, #elif, #else and #endif.';
      this.report('unknown-directive', nameSpan, `#${name} is no directive that Tilescope knows.`, remedy);
    }
  }

  private stray({ name, nameSpan }: Directive): void {
    this.report('stray', nameSpan, `#${name} without an #if before it.`, 'Remove it, or add the #if it belongs to.');
  }

  private open(directive: Directive): void {
    const outer = this.active();
    const wanted = outer && this.conditionals.length < mostNested && this.truth(directive);
    this.conditionals.push({ opener: directive.nameSpan, outer, active: wanted, taken: wanted, elseSeen: false });
    if (this.conditionals.length === mostNested) {
      this.report('nested', directive.nameSpan, `More than ${mostNested} #ifs are open here.`, 'Close some of them.');
    }
  }

  private alternative(directive: Directive): void {
    const current = this.conditionals.at(-1);
    if (current === undefined) {
      this.stray(directive);
      return;
    }
    if (current.elseSeen) {
      const remedy = 'Only one #else may stand before #endif, and it comes last.';
      this.report('after-else', directive.nameSpan, `#${directive.name} after #else.`, remedy);
      return;
    }
    const possible = current.outer && !current.taken;
    current.elseSeen = directive.name === 'else';
    current.active = possible && (directive.name === 'else' || this.truth(directive));
    current.taken ||= current.active;
  }

  /** Whether the condition of an `#if`, `#elif`, `#ifdef` or `#ifndef` holds; false where it cannot be told. */
  private truth(directive: Directive): boolean {
    if (directive.name === 'ifdef' || directive.name === 'ifndef') {
      const name = this.macroName(directive);
      return name !== null && this.macros.has(name.text) === (directive.name === 'ifdef');
    }
    try {
      return evaluateCondition(directive.rest, directive.restStart, this.macros);
    } catch (error) {
      if (!(error instanceof ConditionError)) throw error;
      const span = error.span.end > error.span.start ? error.span : directive.nameSpan;
      const remedy = 'A condition is made of numbers, macros, defined(NAME) and the operators of C.';
      this.report('condition', span, `Cannot evaluate #${directive.name}: ${error.message}.`, remedy);
      return false;
    }
  }

  /** The name that `#define`, `#undef`, `#ifdef` and `#ifndef` need; reported and null where it is missing. */
  private macroName(directive: Directive): { readonly text: string; readonly start: number } | null {
    const lead = directive.rest.length - directive.rest.trimStart().length;
    const text = identifier.exec(directive.rest.slice(lead))?.[0];
    if (text !== undefined) return { text, start: directive.restStart + lead };
    const found = directive.rest.trim();
    const start = found === '' ? directive.nameSpan.start : directive.restStart + lead;
    const span = found === '' ? directive.nameSpan : { start, end: start + found.length };
    const message = found === '' ? `#${directive.name} needs a name.` : `"${found}" is not a name.`;
    this.report('name', span, message, `Write a name after #${directive.name}: letters, digits and _.`);
    return null;
  }

  private define(directive: Directive): void {
    const name = this.macroName(directive);
    if (name === null) return;
    const nameSpan = { start: name.start, end: name.start + name.text.length };
    let body = directive.rest.slice(nameSpan.end - directive.restStart);
    let parameters: string[] | null = null;
    if (body.startsWith('(')) {
      const close = body.indexOf(')');
      const listed =
        close < 0
          ? []
          : body
              .slice(1, close)
              .split(',')
              .map((parameter) => parameter.trim());
      parameters = listed.length === 1 && listed[0] === '' ? [] : listed;
      const bad = close < 0 || parameters.some((parameter) => identifier.exec(parameter)?.[0] !== parameter);
      if (bad || new Set(parameters).size !== parameters.length) {
        const remedy = `Write #define ${name.text}(a, b) …, or put a space before ( where it belongs to the value.`;
        this.report('parameters', nameSpan, `The parameters of macro ${name.text} cannot be read.`, remedy);
        return;
      }
      body = body.slice(close + 1);
    }
    const value = body.replace(/[\r\n]+/g, ' ').trim();
    this.macros.set(name.text, { name: name.text, parameters, body: value });
    this.definitions.push({ name: name.text, value, parameters, nameSpan });
  }
}
