import type { Span } from '../diagnostic.js';
import type { Expression, Statement, Variable } from '../wgsl/program.js';
import type { WgslType } from '../wgsl/types.js';
import type { HazardFix, TextEdit } from './hazard.js';
import type { Declaration, ElementAccess } from './program-index.js';

const textOf = (source: string, { start, end }: Span): string => source.slice(start, end);

/** The white space a line begins with, or null where something else stands before `offset` on its line. */
function indentBefore(source: string, offset: number): string | null {
  const lineStart = source.lastIndexOf('\n', offset - 1) + 1;
  const before = source.slice(lineStart, offset);
  return /^[ \t]*$/.test(before) ? before : null;
}

/** An edit that puts a statement of its own before another one. */
export function insertBefore(source: string, statement: Statement, text: string): TextEdit {
  const { start } = statement.span;
  const indent = indentBefore(source, start);
  const gap = indent === null ? ' ' : `\n${indent}`;
  return { span: { start, end: start }, text: `${text}${gap}` };
}

/** The offset after a statement, its semicolon included. */
function endOf(source: string, { span }: Statement | Declaration): number {
  const rest = /\s*;/y;
  rest.lastIndex = span.end;
  return source[span.end - 1] !== ';' && rest.test(source) ? rest.lastIndex : span.end;
}

/** An edit that puts a statement of its own after another one. A comment at the end of the line stays where it is. */
export function insertAfter(source: string, statement: Statement, text: string): TextEdit {
  const end = endOf(source, statement);
  const indent = indentBefore(source, statement.span.start);
  const comment = /[ \t]*(?:\/\/[^\r\n]*)?(?=\r?\n|$)/y;
  comment.lastIndex = end;
  const atLineEnd = comment.test(source);
  const at = atLineEnd ? comment.lastIndex : end;
  return { span: { start: at, end: at }, text: indent === null || !atLineEnd ? ` ${text}` : `\n${indent}${text}` };
}

/** The type an expression or place of an element access is indexed in, pointers followed. */
function indexedType({ base }: ElementAccess): WgslType | null {
  const { type } = base;
  if (type.kind === 'pointer') return type.target;
  return type.kind === 'void' || type.kind === 'subgroup-matrix' ? null : type;
}

/** The number of elements of an access as WGSL text, of the type of the index; null where the text cannot name it. */
function lengthText(source: string, access: ElementAccess, signed: boolean): string | null {
  const type = indexedType(access);
  const unsigned = signed ? '' : 'u';
  switch (type?.kind) {
    case 'vector':
      return `${type.width}${unsigned}`;
    case 'matrix':
      return `${type.columns}${unsigned}`;
    case 'array': {
      if (typeof type.count === 'number') return `${type.count}${unsigned}`;
      const base = textOf(source, access.base.span);
      // Only a variable or a member of one has an address that can be written down.
      if (!/^[\p{XID_Start}_][\p{XID_Continue}.]*$/u.test(base)) return null;
      return signed ? `i32(arrayLength(&${base}))` : `arrayLength(&${base})`;
    }
    default:
      return null;
  }
}

function isSigned(index: Expression): boolean {
  return index.type.kind === 'scalar' && index.type.scalar === 'i32';
}

/** `N - 1` as text. */
function lastIndexText(count: string): string {
  const literal = /^(\d+)(u?)$/.exec(count);
  return literal ? `${Number(literal[1]) - 1}${literal[2]!}` : `${count} - 1${count.startsWith('i32') ? '' : 'u'}`;
}

/**
 * Bounds the index of an access: a read takes the last element instead, a write is left out. Null where the text of
 * the index is not there to be edited (it comes from a macro) or the length has no name.
 */
export function boundFix(
  source: string,
  access: ElementAccess,
  store: Statement | null,
  variable: string,
): HazardFix | null {
  const signed = isSigned(access.index);
  const count = lengthText(source, access, signed);
  const index = textOf(source, access.index.span);
  const inside = access.span.start < access.index.span.start && access.index.span.end < access.span.end;
  if (count === null || !inside) return null;
  if (store) return guardFix(source, store, signed ? `${index} >= 0 && ${index} < ${count}` : `${index} < ${count}`);
  const last = lastIndexText(count);
  const text = signed ? `clamp(${index}, 0, ${last})` : `min(${index}, ${last})`;
  return { title: `Read no further than the end of ${variable}`, edits: [{ span: access.index.span, text }] };
}

/** Puts an `if` around a statement. */
function guardFix(source: string, statement: Statement, condition: string): HazardFix | null {
  const indent = indentBefore(source, statement.span.start);
  const end = endOf(source, statement);
  const body = source.slice(statement.span.start, end);
  if (indent === null || body.includes('\n')) {
    const text = `if (${condition}) { ${body} }`;
    return { title: `Write only if ${condition}`, edits: [{ span: { start: statement.span.start, end }, text }] };
  }
  const unit = indent.includes('\t') ? '\t' : '  ';
  const text = `if (${condition}) {\n${indent}${unit}${body}\n${indent}}`;
  return { title: `Write only if ${condition}`, edits: [{ span: { start: statement.span.start, end }, text }] };
}

const zeros: Readonly<Record<string, string>> = { f32: '0.0', f16: '0.0h', i32: '0', u32: '0u', bool: 'false' };

/** Gives a variable its type's zero value where it is declared. Null where the declaration does not write its type. */
export function initialiseFix(source: string, declaration: Declaration): HazardFix | null {
  const { span, variable } = declaration;
  const text = source.slice(span.start, endOf(source, declaration));
  const written = /^(?:@[^;]*?\)\s*)*var\b[^:;]*:\s*([^;=]+?)\s*(?=;|$)/.exec(text);
  if (!written) return null;
  const at = span.start + written.index + written[0].trimEnd().length;
  const zero = zeroText(variable, written[1]!);
  return {
    title: `Begin with ${variable.name} = ${zero}`,
    edits: [{ span: { start: at, end: at }, text: ` = ${zero}` }],
  };
}

function zeroText({ type }: Variable, written: string): string {
  return type.kind === 'scalar' ? (zeros[type.scalar] ?? `${written}()`) : `${written}()`;
}
