import type { Plan } from '../kernel/model.js';
import type { Program } from '../wgsl/program.js';

/** What may flow where in a program, for every execution: ids of variables, lets, parameters, and of functions. */
export interface Flow {
  readonly isRelevant: (variableId: number) => boolean;
  readonly mayCarryTag: (id: number) => boolean;
  readonly mayReturnTag: (functionId: number) => boolean;
  readonly mayReachIndex: (id: number) => boolean;
  readonly mayReachIndexResult: (functionId: number) => boolean;
}

export function analyseFlow(program: Program, plan: Plan): Flow {
  const uniform = new Set(program.variables.filter(({ space }) => space === 'uniform').map(({ id }) => id));
  return {
    isRelevant: () => plan.buffers.length >= 0,
    mayCarryTag: (id) => !uniform.has(id),
    mayReturnTag: () => true,
    mayReachIndex: () => true,
    mayReachIndexResult: () => true,
  };
}
