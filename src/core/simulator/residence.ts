import type { Expression, Program, Variable } from '../wgsl/program.js';
import type { Residence, Variant } from './emit-context.js';
import { leavesOf } from './flatten.js';
import type { Tables } from './tables.js';
import { isKnownIndex, unrolledCounters } from './unroll.js';
import { rootOf, walkStatements } from './walk.js';

/** Most scalars of a variable that is kept in registers. */
const registerLimit = 64;

/** Where the variables and indexed values of one text live. */
export interface Residences {
  readonly residenceOf: (variable: Variable) => Residence;
  readonly stackOffsetOf: (valueId: number) => number | null;
  readonly allocateStack: (scalars: number) => number;
  readonly stackWords: () => number;
}

/**
 * Decides for every variable whether it can live in JavaScript variables: it must be small, its address never taken and
 * its parts never chosen by an index that is known only at run time.
 */
export function chooseResidences(program: Program, variant: Variant, tables: Tables): Residences {
  const onStack = new Set<number>();
  const initialized = new Set<number>();
  const residences = new Map<number, Residence>();
  const values = new Map<number, number>();
  const counters = variant.values
    ? new Set<number>()
    : unrolledCounters(program.functions.filter(({ id }) => !tables.synchronizing.has(id)));
  const isOpen = (index: Expression): boolean => !isKnownIndex(index, counters);
  let words = 0;
  const allocate = (scalars: number): number => {
    words += scalars;
    return words - scalars;
  };
  for (const { initializer, id } of program.variables) if (initializer) initialized.add(id);
  for (const { body } of program.functions) {
    walkStatements(body, {
      statement: (statement) => {
        if (statement.kind === 'declare' && statement.initializer) initialized.add(statement.variable.id);
      },
      place: (place) => {
        const root = rootOf(place);
        if (place.kind === 'element' && root && isOpen(place.index)) onStack.add(root.id);
      },
      expression: (expression) => {
        if (expression.kind === 'address') {
          const root = rootOf(expression.place);
          if (root) onStack.add(root.id);
        }
        if (expression.kind !== 'element' || !isOpen(expression.index)) return;
        const { base } = expression;
        if (base.kind !== 'value' || base.type.kind === 'vector' || values.has(base.value.id)) return;
        values.set(base.value.id, allocate(leavesOf(base.type).length));
      },
    });
  }
  const choose = (variable: Variable): Residence => {
    const memory = tables.memoryOf(variable);
    if (memory) return { kind: 'memory', ...memory };
    const { id, space, type } = variable;
    const logged = variant.faults && !initialized.has(id);
    const count = leavesOf(type).length;
    if (space === 'function' && !logged && !onStack.has(id) && count <= registerLimit) return { kind: 'register' };
    return { kind: 'stack', offset: allocate(count), logged };
  };
  return {
    residenceOf: (variable) => {
      const residence = residences.get(variable.id) ?? choose(variable);
      residences.set(variable.id, residence);
      return residence;
    },
    stackOffsetOf: (valueId) => values.get(valueId) ?? null,
    allocateStack: allocate,
    stackWords: () => words,
  };
}
