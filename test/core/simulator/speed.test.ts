import { describe, expect, it } from 'vitest';
import { simulate } from '../../../src/core/simulator/simulate.js';
import { bare, builtInPlan, compiled, initialBuffers, instantiate, logging } from './simulated.js';

/**
 * Accesses per second of CPU time once the JavaScript engine has warmed up, over workgroups spread evenly over the last
 * pass. CPU time, because a test machine is busy with other things; the concurrent compiler's share counts too.
 */
function rate(name: string, how: 'logged' | 'followed' | 'counted', workgroups: number, warmUp: number): number {
  const { kernel, plan } = builtInPlan(name);
  const requests = plan.passes.map(({ workgroups: [x, y, z] }, pass) => {
    const all = x * y * z;
    const ids = [...new Set(Array.from({ length: workgroups }, (_, at) => Math.floor((at * all) / workgroups)))];
    const own = pass === plan.passes.length - 1 ? ids : [];
    return {
      logged: how === 'logged' ? own : [],
      others: () => ({ followed: how === 'followed' ? own : [], counted: how === 'counted' ? own : [] }),
    };
  });
  const run = simulate(
    compiled(plan, how === 'logged' ? logging : bare),
    { buffers: initialBuffers(kernel, plan), requests, subgroupSize: 32, provenance: null, watch: null },
    instantiate,
  );
  let start: { accesses: number; cpu: NodeJS.CpuUsage } | null = null;
  for (;;) {
    const step = run.next();
    if (step.done === true) {
      const { user, system } = process.cpuUsage(start!.cpu);
      return (step.value.accesses - start!.accesses) / (user + system);
    }
    if (step.value.workgroupsDone === warmUp) start = { accesses: step.value.accesses, cpu: process.cpuUsage() };
  }
}

/** Millions of accesses per second: what is promised on an idle core, and the floor that a busy machine must keep. */
const promises = {
  logged: { promised: 50, floor: 25 },
  followed: { promised: 150, floor: 80 },
  counted: { promised: 1000, floor: 400 },
};

describe('the speed of the simulator', () => {
  it.each(['softmax/naive', 'softmax/flash', 'lightning/lightning1'])(
    'on %s keeps its floors',
    { timeout: 120_000 },
    (name) => {
      const workgroups = name === 'softmax/naive' ? 512 : 64;
      for (const how of ['logged', 'followed', 'counted'] as const) {
        const found = rate(name, how, workgroups, workgroups / 4);
        const { promised, floor } = promises[how];
        console.log(`${name}, ${how}: ${found.toFixed(0)} million accesses a second (${promised} on an idle core)`);
        expect(found, how).toBeGreaterThan(floor);
      }
    },
  );
});
