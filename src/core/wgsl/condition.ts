import type { Span } from '../diagnostic.js';
import { expandUse, MacroError, type MacroTable } from './macros.js';
import { scan } from './scan.js';
import { precedence } from './precedence.js';

/** Thrown by {@link evaluateCondition}: what is wrong with an `#if` expression, and where in the source. */
export class ConditionError extends Error {
  readonly span: Span;
  constructor(message: string, span: Span) {
    super(message);
    this.span = span;
  }
}

interface Token {
  readonly text: string;
  readonly kind: 'name' | 'number' | 'operator';
  readonly span: Span;
}

const operators = ['<<', '>>', '<=', '>=', '==', '!=', '&&', '||'];
const deepestNesting = 100;

/** Splits expression text into tokens; `place` gives the source span of each. */
function tokenize(text: string, place: (start: number, end: number) => Span): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    const piece = scan(text, at);
    let end = piece.end;
    const kind = piece.kind === 'identifier' ? 'name' : piece.kind === 'number' ? 'number' : 'operator';
    if (piece.kind === 'other' && operators.includes(text.slice(at, at + 2))) end = at + 2;
    if (piece.kind !== 'blank' && piece.kind !== 'newline' && piece.kind !== 'comment') {
      tokens.push({ text: text.slice(at, end), kind, span: place(at, end) });
    }
    at = end;
  }
  return tokens;
}

/** Tokens with macros expanded, except after `defined`; expanded tokens keep the span of the macro's use. */
function expandTokens(text: string, offset: number, macros: MacroTable): Token[] {
  const out: Token[] = [];
  const raw = tokenize(text, (start, end) => ({ start: offset + start, end: offset + end }));
  let skipTo = 0;
  raw.forEach((token, index) => {
    if (token.span.start < skipTo) return;
    const before = raw[index - 1]?.text === '(' ? raw[index - 2] : raw[index - 1];
    const macro = token.kind === 'name' && before?.text !== 'defined' ? macros.get(token.text) : undefined;
    if (macro === undefined) {
      out.push(token);
      return;
    }
    try {
      const use = expandUse(macro, text, token.span.end - offset, macros);
      if (use === null) {
        out.push(token);
        return;
      }
      skipTo = offset + use.end;
      const span = { start: token.span.start, end: skipTo };
      for (const expanded of tokenize(use.text, () => span)) out.push(expanded);
    } catch (error) {
      if (error instanceof MacroError) throw new ConditionError(error.message, token.span);
      throw error;
    }
  });
  return out;
}

/** One binary operation on numbers; true is 1 and false is 0, division truncates as in C. Null for a division by 0. */
function apply(operator: string, a: number, b: number): number | null {
  switch (operator) {
    case '||':
      return a !== 0 || b !== 0 ? 1 : 0;
    case '&&':
      return a !== 0 && b !== 0 ? 1 : 0;
    case '|':
      return a | b;
    case '^':
      return a ^ b;
    case '&':
      return a & b;
    case '==':
      return a === b ? 1 : 0;
    case '!=':
      return a !== b ? 1 : 0;
    case '<':
      return a < b ? 1 : 0;
    case '<=':
      return a <= b ? 1 : 0;
    case '>':
      return a > b ? 1 : 0;
    case '>=':
      return a >= b ? 1 : 0;
    case '<<':
      return a * 2 ** b;
    case '>>':
      return Math.floor(a / 2 ** b);
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
      if (b === 0) return null;
      return Number.isInteger(a) && Number.isInteger(b) ? Math.trunc(a / b) : a / b;
    default:
      return b === 0 ? null : a % b;
  }
}

/** Recursive descent over the tokens of one condition. */
class ConditionParser {
  private at = 0;
  private depth = 0;

  constructor(
    private readonly tokens: readonly Token[],
    private readonly whole: Span,
    private readonly macros: MacroTable,
  ) {}

  parse(): number {
    if (this.tokens.length === 0) throw new ConditionError('the condition is empty', this.whole);
    const value = this.ternary(true);
    const rest = this.tokens[this.at];
    if (rest !== undefined) throw new ConditionError(`"${rest.text}" is not expected here`, rest.span);
    return value;
  }

  private ternary(live: boolean): number {
    const condition = this.binary(1, live);
    if (this.tokens[this.at]?.text !== '?') return condition;
    this.at += 1;
    const yes = this.ternary(live && condition !== 0);
    this.expect(':');
    const no = this.ternary(live && condition === 0);
    return condition !== 0 ? yes : no;
  }

  /** `live` is false in the part of a condition that is not evaluated: `defined(N) && 64 / N` must not divide by 0. */
  private binary(lowest: number, live: boolean): number {
    let left = this.unary(live);
    for (;;) {
      const token = this.tokens[this.at];
      const level = token?.kind === 'operator' ? precedence[token.text] : undefined;
      if (token === undefined || level === undefined || level < lowest) return left;
      this.at += 1;
      const decided = (token.text === '&&' && left === 0) || (token.text === '||' && left !== 0);
      const right = this.binary(level + 1, live && !decided);
      const value = apply(token.text, left, right);
      if (value === null && live) throw new ConditionError('the condition divides by zero', token.span);
      left = value ?? 0;
    }
  }

  private unary(live: boolean): number {
    const token = this.tokens[this.at];
    if (token === undefined) throw new ConditionError('the condition ends too early', this.whole);
    this.at += 1;
    if (this.depth > deepestNesting) throw new ConditionError('the condition is nested too deeply', token.span);
    this.depth += 1;
    try {
      return this.primary(token, live);
    } finally {
      this.depth -= 1;
    }
  }

  private primary(token: Token, live: boolean): number {
    if (token.text === '!') return this.unary(live) === 0 ? 1 : 0;
    if (token.text === '-') return -this.unary(live);
    if (token.text === '+') return this.unary(live);
    if (token.text === '~') return ~this.unary(live);
    if (token.text === '(') {
      const value = this.ternary(live);
      this.expect(')');
      return value;
    }
    if (token.text === 'defined') return this.defined(token);
    if (token.kind === 'number') {
      const value = Number(token.text.replace(/^(0[xX][\da-fA-F]*)[iu]$|^((?!0[xX]).*)[iufh]$/, '$1$2'));
      if (Number.isNaN(value)) throw new ConditionError(`"${token.text}" is not a number`, token.span);
      return value;
    }
    if (token.kind === 'name') {
      if (this.tokens[this.at]?.text === '(') {
        throw new ConditionError(`"${token.text}" is not a macro that can be called`, token.span);
      }
      return token.text === 'true' ? 1 : 0;
    }
    throw new ConditionError(`"${token.text}" is not expected here`, token.span);
  }

  private defined(token: Token): number {
    const parenthesis = this.tokens[this.at]?.text === '(';
    if (parenthesis) this.at += 1;
    const name = this.tokens[this.at];
    if (name?.kind !== 'name') throw new ConditionError('defined needs the name of a macro', token.span);
    this.at += 1;
    if (parenthesis) this.expect(')');
    return this.macros.has(name.text) ? 1 : 0;
  }

  private expect(text: string): void {
    const token = this.tokens[this.at];
    if (token?.text !== text) throw new ConditionError(`a "${text}" is missing`, token?.span ?? this.whole);
    this.at += 1;
  }
}

/**
 * Truth of an `#if` expression, by the rules of the C preprocessor: names that are no macros count as 0 (`true` as 1),
 * `defined(X)` asks for a macro. `text` has its comments blanked; `offset` is where it stands in the source.
 *
 * @throws ConditionError where the expression cannot be evaluated.
 */
export function evaluateCondition(text: string, offset: number, macros: MacroTable): boolean {
  const trimmed = text.trimEnd();
  const start = offset + trimmed.length - trimmed.trimStart().length;
  const whole = { start, end: offset + trimmed.length };
  return new ConditionParser(expandTokens(trimmed, offset, macros), whole, macros).parse() !== 0;
}
