import { runInThisContext } from 'node:vm';
import type { SimulatorHost } from '../lab/simulator.js';

/** A simulator in this process, which nothing forbids to make functions of texts. It takes turns with the event loop. */
export function createProcessSimulator(): SimulatorHost {
  return {
    perform: async (task, context) => {
      // Loaded when first asked for: the device's jobs need none of it.
      const { driveTask, runTask } = await import('../lab/simulate-task.js');
      return driveTask(() => runTask(task, evaluate), context);
    },
  };
}

/** The value of a JavaScript expression. */
function evaluate(code: string): unknown {
  return runInThisContext(`(${code})`, { filename: 'simulated-kernel.js' });
}
