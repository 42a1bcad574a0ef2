import { typeText } from '../../../src/core/wgsl/abstract-types.js';
import type { ConstantValue, Expression, Place, Program, Statement } from '../../../src/core/wgsl/program.js';

function constantText(value: ConstantValue): string {
  if (typeof value === 'object') return `[${value.map(constantText).join(' ')}]`;
  return Object.is(value, -0) ? '-0' : `${value}`;
}

const list = (items: readonly Expression[]): string => items.map(expressionText).join(', ');

/** A place as text: variables by name, `*p` for what a pointer points at. */
export function placeText(place: Place): string {
  switch (place.kind) {
    case 'variable':
      return place.variable.name;
    case 'dereference':
      return `*${expressionText(place.pointer)}`;
    case 'element':
      return `${placeText(place.base)}[${expressionText(place.index)}]`;
    case 'member': {
      const { type } = place.base;
      return `${placeText(place.base)}.${type.kind === 'struct' ? type.members[place.member]!.name : place.member}`;
    }
  }
}

/** An expression as text in which nothing is implied: loads are `ld(place)`, constants `value:type`. */
export function expressionText(expression: Expression): string {
  switch (expression.kind) {
    case 'constant':
      return `${constantText(expression.value)}:${typeText(expression.type)}`;
    case 'value':
      return expression.value.name;
    case 'load':
      return `ld(${placeText(expression.place)})`;
    case 'address':
      return `&${placeText(expression.place)}`;
    case 'unary':
      return `${expression.operator}${expressionText(expression.operand)}`;
    case 'binary':
    case 'logical':
      return `(${expressionText(expression.left)} ${expression.operator} ${expressionText(expression.right)})`;
    case 'construct':
      return `${typeText(expression.type)}(${list(expression.parts)})`;
    case 'convert':
      return `${typeText(expression.type)}<-${expressionText(expression.operand)}`;
    case 'bitcast':
      return `bitcast<${typeText(expression.type)}>(${expressionText(expression.operand)})`;
    case 'element':
      return `${expressionText(expression.base)}[${expressionText(expression.index)}]`;
    case 'member':
      return `${expressionText(expression.base)}.${expression.member}`;
    case 'swizzle':
      return `${expressionText(expression.base)}.${expression.components.map((c) => 'xyzw'[c]).join('')}`;
    case 'call':
      return `${expression.function.name}(${list(expression.args)})`;
    case 'builtin':
    case 'subgroup':
    case 'subgroup-matrix':
      return `${expression.name}(${list(expression.args)})`;
    case 'array-length':
      return `arrayLength(${expressionText(expression.pointer)})`;
    case 'atomic':
      return `${expression.operation}(${list([expression.pointer, ...expression.args])})`;
    case 'uniform-load':
      return `workgroupUniformLoad(${expressionText(expression.pointer)})`;
  }
}

/** Statements as one line of text. */
export function statementsText(statements: readonly Statement[]): string {
  return statements.map(statementText).join(' ');
}

function statementText(statement: Statement): string {
  switch (statement.kind) {
    case 'block':
      return `{ ${statementsText(statement.body)} }`;
    case 'declare': {
      const { name, type } = statement.variable;
      const initial = statement.initializer === null ? '' : ` = ${expressionText(statement.initializer)}`;
      return `var ${name}: ${typeText(type)}${initial};`;
    }
    case 'let':
      return `let ${statement.value.name}: ${typeText(statement.value.type)} = ${expressionText(statement.initializer)};`;
    case 'assign':
      return `${placeText(statement.place)} = ${expressionText(statement.value)};`;
    case 'update':
      return `${placeText(statement.place)} ${statement.operator}= ${expressionText(statement.value)};`;
    case 'evaluate':
      return `${expressionText(statement.expression)};`;
    case 'if': {
      const otherwise = statement.otherwise.length === 0 ? '' : ` else { ${statementsText(statement.otherwise)} }`;
      return `if ${expressionText(statement.condition)} { ${statementsText(statement.then)} }${otherwise}`;
    }
    case 'loop': {
      const { init, condition, body, continuing, breakIf } = statement;
      const head = `${statementsText(init)} ; ${condition === null ? '' : expressionText(condition)}`;
      const last = `${statementsText(continuing)}${breakIf === null ? '' : ` break if ${expressionText(breakIf)};`}`;
      return `loop (${head.trim()}) { ${statementsText(body)} } continuing { ${last} }`;
    }
    case 'switch': {
      const clauses = statement.clauses.map(
        ({ values, isDefault, body }) =>
          `${[...values, ...(isDefault ? ['default'] : [])].join('|')} { ${statementsText(body)} }`,
      );
      return `switch ${expressionText(statement.selector)} { ${clauses.join(' ')} }`;
    }
    case 'break':
    case 'continue':
      return `${statement.kind};`;
    case 'return':
      return statement.value === null ? 'return;' : `return ${expressionText(statement.value)};`;
    case 'barrier':
      return `barrier(${statement.scope});`;
    case 'subgroup-matrix-store':
      return `subgroupMatrixStore(${list(statement.args)});`;
  }
}

/** Every span of a program, with what it is of. */
export function spansOf(program: Program): { readonly what: string; readonly start: number; readonly end: number }[] {
  const found: { what: string; start: number; end: number }[] = [];
  const seen = new Set<object>();
  const visit = (node: unknown, what: string): void => {
    if (typeof node !== 'object' || node === null || seen.has(node)) return;
    seen.add(node);
    for (const [key, value] of Object.entries(node)) {
      if (key === 'span' || key === 'nameSpan') {
        const kind = 'kind' in node ? String(node.kind) : what;
        found.push({ what: kind, ...(value as { start: number; end: number }) });
      } else visit(value, key);
    }
  };
  visit(program, 'program');
  return found;
}
