import { runInThisContext } from 'node:vm';
import { driveTask, runTask } from '../lab/simulate-task.js';
import type { SimulatorHost } from '../lab/simulator.js';

/** A simulator in this process, which nothing forbids to make functions of texts. It takes turns with the event loop. */
export function createProcessSimulator(): SimulatorHost {
  return { perform: (task, context) => driveTask(() => runTask(task, evaluate), context) };
}

/** The value of a JavaScript expression. */
function evaluate(code: string): unknown {
  return runInThisContext(`(${code})`, { filename: 'simulated-kernel.js' });
}
