import type { Expression, Statement } from '../wgsl/program.js';
import { rootOf, walkExpression, walkStatements } from './walk.js';

/** Whether evaluating an expression counts an access, or calls what may. */
export function hasEffects(expression: Expression): boolean {
  let found = false;
  walkExpression(
    expression,
    effects(() => (found = true)),
  );
  return found;
}

function effects(note: () => void): Parameters<typeof walkExpression>[1] {
  return {
    expression: ({ kind }) => {
      if (kind === 'call' || kind === 'atomic' || kind === 'uniform-load' || kind.startsWith('subgroup')) note();
    },
    place: (place) => {
      const root = rootOf(place);
      if (root === null || (root.space !== 'function' && root.space !== 'private')) note();
    },
  };
}

/** Whether a statement does more than assign to variables of its invocation. */
export function actsOn(statement: Statement): boolean {
  let found = false;
  const note = (): void => {
    found = true;
  };
  walkStatements([statement], {
    ...effects(note),
    statement: ({ kind }) => {
      const plain = ['block', 'declare', 'let', 'assign', 'update', 'evaluate', 'if', 'switch'];
      if (!plain.includes(kind)) note();
    },
  });
  return found;
}
