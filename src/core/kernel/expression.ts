import type { Span } from '../diagnostic.js';

/** Why an expression could not be read or evaluated, and where in its text. */
export interface ExpressionError {
  readonly message: string;
  readonly remedy: string | null;
  /** Offsets into the expression's own text. */
  readonly span: Span;
}

/** A parsed expression; spans are offsets into its text. */
export type Expression =
  | { readonly kind: 'number'; readonly value: number; readonly span: Span }
  | { readonly kind: 'name'; readonly name: string; readonly span: Span }
  | { readonly kind: 'negate'; readonly operand: Expression; readonly span: Span }
  | {
      readonly kind: 'binary';
      readonly operator: Operator;
      readonly left: Expression;
      readonly right: Expression;
      readonly span: Span;
    }
  | {
      readonly kind: 'call';
      readonly callee: string;
      readonly operands: readonly Expression[];
      readonly span: Span;
    };

/** A value, or why there is none. */
export type ExpressionResult<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: ExpressionError };

type Operator = '+' | '-' | '*' | '/' | '%';

interface FunctionSpec {
  readonly least: number;
  readonly most: number;
  readonly description: string;
  readonly apply: (operands: readonly number[]) => number;
}

/** The functions an expression may call, with what they do, for completion and hover. */
export const expressionFunctions: ReadonlyMap<string, FunctionSpec> = new Map<string, FunctionSpec>([
  ['ceil', { least: 1, most: 1, description: 'Rounds up: `ceil(x)`.', apply: ([x]) => Math.ceil(x!) }],
  ['floor', { least: 1, most: 1, description: 'Rounds down: `floor(x)`.', apply: ([x]) => Math.floor(x!) }],
  ['min', { least: 1, most: 16, description: 'The least of its operands.', apply: (xs) => Math.min(...xs) }],
  ['max', { least: 1, most: 16, description: 'The greatest of its operands.', apply: (xs) => Math.max(...xs) }],
  ['div', { least: 2, most: 2, description: '`div(a, b)` is `floor(a / b)`.', apply: ([a, b]) => Math.floor(a! / b!) }],
]);

const maxLength = 1000;
const maxDepth = 64;
const tokenPattern =
  /\s*(?:(0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|([A-Za-z_][A-Za-z0-9_]*)|([-+*/%(),]))/y;

interface Token {
  readonly kind: 'number' | 'name' | 'symbol' | 'end';
  readonly text: string;
  readonly span: Span;
}

class ExpressionFailure extends Error {
  constructor(readonly detail: ExpressionError) {
    super(detail.message);
  }
}

function fail(message: string, span: Span, remedy: string | null): never {
  throw new ExpressionFailure({ message, span, remedy });
}

function attempt<T>(work: () => T): ExpressionResult<T> {
  try {
    return { ok: true, value: work() };
  } catch (error) {
    if (error instanceof ExpressionFailure) return { ok: false, error: error.detail };
    throw error;
  }
}

function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  const pattern = new RegExp(tokenPattern);
  while (pattern.lastIndex < text.trimEnd().length) {
    const from = pattern.lastIndex;
    const match = pattern.exec(text);
    if (!match) {
      const start = from + (text.slice(from).length - text.slice(from).trimStart().length);
      const character = String.fromCodePoint(text.codePointAt(start)!);
      fail(
        `"${character}" cannot stand in an expression.`,
        { start, end: start + character.length },
        'Use numbers, names, + - * / %, parentheses, and ceil, floor, min, max, div.',
      );
    }
    const end = pattern.lastIndex;
    const [, number, name, symbol] = match;
    const word = number ?? name ?? symbol ?? '';
    const kind = number !== undefined ? 'number' : name !== undefined ? 'name' : 'symbol';
    tokens.push({ kind, text: word, span: { start: end - word.length, end } });
  }
  tokens.push({ kind: 'end', text: '', span: { start: text.trimEnd().length, end: text.trimEnd().length } });
  return tokens;
}

class Parser {
  private position = 0;
  private depth = 0;

  constructor(private readonly tokens: readonly Token[]) {}

  parse(): Expression {
    const expression = this.sum();
    const rest = this.peek();
    if (rest.kind !== 'end') {
      fail(`"${rest.text}" was not expected here.`, rest.span, 'Join the parts with an operator, or remove it.');
    }
    return expression;
  }

  private peek(): Token {
    return this.tokens[this.position]!;
  }

  private take(...symbols: readonly string[]): Token | null {
    const token = this.peek();
    if (token.kind !== 'symbol' || !symbols.includes(token.text)) return null;
    this.position++;
    return token;
  }

  private sum(): Expression {
    let left = this.product();
    for (let token = this.take('+', '-'); token; token = this.take('+', '-')) {
      left = binary(token.text as Operator, left, this.product());
    }
    return left;
  }

  private product(): Expression {
    let left = this.factor();
    for (let token = this.take('*', '/', '%'); token; token = this.take('*', '/', '%')) {
      left = binary(token.text as Operator, left, this.factor());
    }
    return left;
  }

  private factor(): Expression {
    if (++this.depth > maxDepth) {
      fail('The expression is nested too deeply.', this.peek().span, 'Use fewer parentheses.');
    }
    const expression = this.primary();
    this.depth--;
    return expression;
  }

  private primary(): Expression {
    const minus = this.take('-');
    if (minus) {
      const operand = this.factor();
      return { kind: 'negate', operand, span: { start: minus.span.start, end: operand.span.end } };
    }
    const open = this.take('(');
    if (open) {
      const inner = this.sum();
      const close = this.close(open);
      return { ...inner, span: { start: open.span.start, end: close.span.end } };
    }
    const token = this.peek();
    if (token.kind === 'end')
      fail('The expression ends too early.', token.span, 'Complete it, or remove the operator.');
    if (token.kind === 'symbol') {
      fail(`A number or a name was expected, not "${token.text}".`, token.span, null);
    }
    this.position++;
    if (token.kind === 'number') {
      return { kind: 'number', value: Number(token.text), span: token.span };
    }
    const call = this.take('(');
    return call ? this.call(token, call) : { kind: 'name', name: token.text, span: token.span };
  }

  private call(callee: Token, open: Token): Expression {
    const operands: Expression[] = [];
    let end = this.take(')');
    while (!end) {
      operands.push(this.sum());
      if (!this.take(',')) end = this.close(open);
    }
    const span = { start: callee.span.start, end: end.span.end };
    const spec = expressionFunctions.get(callee.text);
    if (!spec) {
      const known = [...expressionFunctions.keys()].join(', ');
      fail(`There is no function "${callee.text}".`, callee.span, `Use one of ${known}.`);
    }
    if (operands.length < spec.least || operands.length > spec.most) {
      const wanted = spec.least === spec.most ? `${spec.least}` : `${spec.least} to ${spec.most}`;
      fail(`"${callee.text}" takes ${wanted} operand(s), not ${operands.length}.`, span, null);
    }
    return { kind: 'call', callee: callee.text, operands, span };
  }

  private close(open: Token): Token {
    const close = this.take(')');
    return close ?? fail('This parenthesis is never closed.', open.span, 'Add a ")".');
  }
}

function binary(operator: Operator, left: Expression, right: Expression): Expression {
  return { kind: 'binary', operator, left, right, span: { start: left.span.start, end: right.span.end } };
}

/** Parses an expression over numbers and names. Never throws; `error.span` lies within the text. */
export function parseExpression(text: string): ExpressionResult<Expression> {
  return attempt(() => {
    if (text.length > maxLength) {
      fail('The expression is too long.', { start: 0, end: text.length }, `Keep it under ${maxLength} characters.`);
    }
    return new Parser(tokenize(text)).parse();
  });
}

/** Every name an expression reads, with the place of each occurrence. */
export function namesIn(expression: Expression): readonly { readonly name: string; readonly span: Span }[] {
  switch (expression.kind) {
    case 'number':
      return [];
    case 'name':
      return [{ name: expression.name, span: expression.span }];
    case 'negate':
      return namesIn(expression.operand);
    case 'binary':
      return [...namesIn(expression.left), ...namesIn(expression.right)];
    case 'call':
      return expression.operands.flatMap(namesIn);
  }
}

function compute(expression: Expression, values: ReadonlyMap<string, number>): number {
  switch (expression.kind) {
    case 'number':
      return expression.value;
    case 'name': {
      const value = values.get(expression.name);
      return value ?? fail(`"${expression.name}" names nothing that has a value here.`, expression.span, null);
    }
    case 'negate':
      return -compute(expression.operand, values);
    case 'call': {
      const operands = expression.operands.map((operand) => compute(operand, values));
      return expressionFunctions.get(expression.callee)!.apply(operands);
    }
    case 'binary': {
      const left = compute(expression.left, values);
      const right = compute(expression.right, values);
      return applyOperator(expression.operator, left, right);
    }
  }
}

function applyOperator(operator: Operator, left: number, right: number): number {
  switch (operator) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    case '/':
      return left / right;
    case '%':
      return left % right;
  }
}

/** Evaluates an expression. A name without a value, a division by zero and an overflow are errors. */
export function evaluateExpression(
  expression: Expression,
  values: ReadonlyMap<string, number>,
): ExpressionResult<number> {
  return attempt(() => {
    const value = compute(expression, values);
    if (!Number.isFinite(value)) {
      fail(`This is ${value}, not a finite number.`, expression.span, 'Look for a division by zero.');
    }
    return value;
  });
}

/** Parses and evaluates in one step, for text that has been checked before. */
export function evaluateText(text: string, values: ReadonlyMap<string, number>): ExpressionResult<number> {
  const parsed = parseExpression(text);
  return parsed.ok ? evaluateExpression(parsed.value, values) : parsed;
}
