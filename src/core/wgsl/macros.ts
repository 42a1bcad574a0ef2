import { scan } from './scan.js';

/** A macro: `parameters` is null for an object-like one (`#define N 4`), a list for `#define F(a, b) …`. */
export interface Macro {
  readonly name: string;
  readonly parameters: readonly string[] | null;
  readonly body: string;
}

/** The macros known at some line. */
export type MacroTable = ReadonlyMap<string, Macro>;

/** Thrown inside the preprocessor alone: an expansion that cannot be carried out, in words for the user. */
export class MacroError extends Error {
  readonly remedy: string;
  constructor(message: string, remedy: string) {
    super(message);
    this.remedy = remedy;
  }
}

/** Longest text one use of a macro may grow to, so that macros which double each other end as a message. */
const longestExpansion = 200_000;
const deepestExpansion = 64;

/** The arguments of a call whose `(` stands at `open`, and where the call ends; null where no `)` closes it. */
export function readArguments(
  text: string,
  open: number,
): { readonly args: readonly string[]; readonly end: number } | null {
  const args: string[] = [];
  let depth = 0;
  let current = '';
  let at = open;
  while (at < text.length) {
    const piece = scan(text, at);
    const word = piece.kind === 'comment' || piece.kind === 'newline' ? ' ' : text.slice(at, piece.end);
    at = piece.end;
    if (word === '(' || word === '[' || word === '{') depth += 1;
    if (word === ')' || word === ']' || word === '}') depth -= 1;
    if (depth === 0) return { args: [...args, current.trim()], end: at };
    if (word === ',' && depth === 1) {
      args.push(current.trim());
      current = '';
    } else if (!(word === '(' && depth === 1 && at === open + 1)) {
      current += word;
    }
  }
  return null;
}

/** First position at or after `at` that is neither blank nor comment nor line break. */
function skipBlank(text: string, at: number): number {
  let next = at;
  while (next < text.length) {
    const piece = scan(text, next);
    if (piece.kind !== 'blank' && piece.kind !== 'newline' && piece.kind !== 'comment') return next;
    next = piece.end;
  }
  return next;
}

/** A use of a macro in running text: what it becomes, and where the use ends. */
export interface Expansion {
  readonly text: string;
  readonly end: number;
}

/**
 * Expands the macro whose name ends at `nameEnd` in `text`. Null where a function-like macro is only named, not
 * called. As in C, a macro is never expanded again inside its own expansion, so recursion ends.
 *
 * @throws MacroError where the arguments do not fit or the expansion grows past all bounds.
 */
export function expandUse(macro: Macro, text: string, nameEnd: number, table: MacroTable): Expansion | null {
  return expandOne(macro, text, nameEnd, table, new Set(), { left: longestExpansion });
}

interface Budget {
  left: number;
}

function expandOne(
  macro: Macro,
  text: string,
  nameEnd: number,
  table: MacroTable,
  hidden: ReadonlySet<string>,
  budget: Budget,
): Expansion | null {
  const inner = new Set(hidden).add(macro.name);
  if (inner.size > deepestExpansion) {
    throw new MacroError(`macro ${macro.name} is nested more than ${deepestExpansion} deep`, 'Flatten the #defines.');
  }
  if (macro.parameters === null) {
    return { text: expandText(paste(macro.body), table, inner, budget), end: nameEnd };
  }
  const open = skipBlank(text, nameEnd);
  if (text[open] !== '(') return null;
  const call = readArguments(text, open);
  if (call === null) {
    throw new MacroError(`the call of macro ${macro.name} has no closing )`, 'Close the argument list.');
  }
  const given = macro.parameters.length === 0 && call.args.join('') === '' ? [] : call.args;
  if (given.length !== macro.parameters.length) {
    throw new MacroError(
      `macro ${macro.name} takes ${macro.parameters.length} argument(s), but is given ${given.length}`,
      `Call it as ${macro.name}(${macro.parameters.join(', ')}).`,
    );
  }
  const body = substituteParameters(macro, given, table, hidden, budget);
  return { text: expandText(paste(body), table, inner, budget), end: call.end };
}

/** `a ## b` joins its neighbours into one token. */
function paste(body: string): string {
  const parts = body.split('##');
  return parts.length === 1 ? body : parts.map((part) => part.trim()).join('');
}

function spend(budget: Budget, length: number): void {
  budget.left -= length + 1;
  if (budget.left < 0) {
    throw new MacroError(
      `the macro expands to more than ${longestExpansion} characters`,
      'Do not let macros multiply each other.',
    );
  }
}

/** Puts arguments in place of parameters: expanded first, except next to `##`, as in C. */
function substituteParameters(
  macro: Macro,
  args: readonly string[],
  table: MacroTable,
  hidden: ReadonlySet<string>,
  budget: Budget,
): string {
  const { body } = macro;
  const parameters = macro.parameters ?? [];
  const pastes = body.includes('##');
  const expanded = args.map((arg) => expandText(arg, table, hidden, budget));
  let out = '';
  let at = 0;
  while (at < body.length) {
    const piece = scan(body, at);
    const word = body.slice(at, piece.end);
    const index = piece.kind === 'identifier' ? parameters.indexOf(word) : -1;
    const pasted =
      index >= 0 &&
      pastes &&
      (body.slice(0, at).trimEnd().endsWith('##') || body.slice(piece.end).trimStart().startsWith('##'));
    const replacement = index < 0 ? word : (pasted ? args : expanded)[index]!;
    spend(budget, replacement.length);
    out += replacement;
    at = piece.end;
  }
  return out;
}

/** Expands every macro in a piece of text without directives. */
function expandText(text: string, table: MacroTable, hidden: ReadonlySet<string>, budget: Budget): string {
  let out = '';
  let at = 0;
  while (at < text.length) {
    const piece = scan(text, at);
    const word = text.slice(at, piece.end);
    const macro = piece.kind === 'identifier' && !hidden.has(word) ? table.get(word) : undefined;
    const use = macro === undefined ? null : expandOne(macro, text, piece.end, table, hidden, budget);
    const replacement = use === null ? word : use.text;
    spend(budget, replacement.length);
    out += replacement;
    at = use === null ? piece.end : use.end;
  }
  return out;
}
