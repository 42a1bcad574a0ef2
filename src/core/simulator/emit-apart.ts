import type { Statement } from '../wgsl/program.js';
import type { FunctionContext } from './emit-context.js';
import { rootOf, waitsIn, walkStatements } from './walk.js';
import { Writer } from './writer.js';

type Loop = Extract<Statement, { kind: 'loop' }>;

/** Names of the variables and parameters of a function that waits. */
const outerNames = /\b(?:[tpge]\d+|fp|inv|[lw][xyz])\b/g;

/**
 * Writes a loop without waits of a function that waits as a function of its own, where it leaves no more than one scalar
 * behind. V8 knows the arrays of such a function by their addresses, while a generator loads and checks them for each use;
 * and what is not in the generator does not have to be kept when it waits. False where nothing was written.
 */
export function writeApart(loop: Loop, context: FunctionContext, write: (inner: FunctionContext) => void): boolean {
  const { pass, writer } = context;
  if (!context.waits || waitsIn([loop], pass.isSynchronizing) || returns(loop)) return false;
  const results = changedBy(loop, context);
  if (results.length > 1) return false;
  const own = new Writer(pass.addBlock, pass.variant.logs, 'u');
  write({ ...context, writer: own, waits: false });
  own.endRegion();
  const lines = [own.text, ...results.map((name) => `return ${name};`)];
  const parameters = [...new Set(lines.join('\n').match(outerNames))].join(', ');
  const name = pass.addFunction((fresh) => `function ${fresh}(${parameters}) {\n${lines.join('\n')}\n}`);
  writer.endRegion();
  writer.line(`${results.map((result) => `${result} = `).join('')}${name}(${parameters});`);
  return true;
}

function returns(loop: Loop): boolean {
  let found = false;
  walkStatements([loop], {
    statement: ({ kind }) => {
      if (kind === 'return') found = true;
    },
  });
  return found;
}

/** Names of all that the loop assigns to and does not declare itself. */
function changedBy(loop: Loop, { registers }: FunctionContext): readonly string[] {
  const own = new Set<number>();
  const names = new Set<string>();
  walkStatements([loop], {
    statement: (statement) => {
      if (statement.kind === 'declare') own.add(statement.variable.id);
      if (statement.kind !== 'assign' && statement.kind !== 'update') return;
      const root = rootOf(statement.place);
      if (root === null || own.has(root.id)) return;
      for (const { value, tag, exact } of registers.get(root.id) ?? []) {
        for (const name of [value, tag, exact]) if (name !== null && name !== '0') names.add(name);
      }
    },
  });
  return [...names];
}
