import type { CompiledSimulation } from '../core/simulator/compile.js';
import { Channel } from '../lab/channel.js';
import { compileTask, driveTask, performTask, readTask } from '../lab/simulate-task.js';
import type { Instantiate } from '../lab/simulation.js';
import { distinctCodes, type WorkerMethods } from '../lab/simulator.js';

declare global {
  /**
   * The values of the codes that this worker is to run, in the order of `distinctCodes`. The page that starts a worker
   * writes the codes into its script: a content security policy without `unsafe-eval` allows no other way.
   */
  var tilescopeCodes: readonly unknown[] | undefined;
}

/** Gives a code the value it has in this worker's script. */
function lookUp(compiled: readonly CompiledSimulation[]): Instantiate {
  const values = new Map(distinctCodes(compiled).map((code, at) => [code, globalThis.tilescopeCodes?.[at]]));
  return (code) => {
    const value = values.get(code);
    if (value === undefined) throw new Error('The simulator was started without the code it is to run.');
    return value;
  };
}

/** The simulator off the page's thread: it compiles a task, or performs one that was compiled for it. */
function serve(): void {
  new Channel<Record<string, never>, WorkerMethods>(
    {
      post: (message) => self.postMessage(message),
      listen: (receive) => {
        const onMessage = (event: MessageEvent<unknown>): void => receive(event.data);
        self.addEventListener('message', onMessage);
        return () => self.removeEventListener('message', onMessage);
      },
    },
    {
      compile: ({ task }, context) => driveTask(() => compileTask(readTask(task)), context),
      perform: ({ task, compiled }, context) =>
        driveTask(() => performTask(readTask(task), compiled, lookUp(compiled)), context),
    },
  );
}

serve();
