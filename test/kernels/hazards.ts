import { indexOverflow, outOfBounds } from './hazards/bounds.js';
import { loopVariables, neverRead, uninitialisedPrivate, uninitialisedWorkgroup } from './hazards/memory.js';
import { endlessLoops, nonUniformBarriers, racesBetweenWorkgroups, racesInWorkgroup } from './hazards/order.js';
import type { PlantedFault } from './hazards/planted.js';

/** Faults that a simulation at one subgroup size shows. */
export const plantedFaults: readonly PlantedFault[] = [
  ...outOfBounds,
  ...indexOverflow,
  ...uninitialisedWorkgroup,
  ...uninitialisedPrivate,
  ...loopVariables,
  ...neverRead,
  ...racesInWorkgroup,
  ...racesBetweenWorkgroups,
  ...nonUniformBarriers,
  ...endlessLoops,
];
