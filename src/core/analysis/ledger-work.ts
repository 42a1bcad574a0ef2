import type { PassTrace } from '../simulator/trace.js';
import type { TrafficFinding } from './ledger.js';
import type { FindingSources } from './ledger-findings.js';
import { sumOf } from './ledger-tensors.js';
import { numberText, percentText } from './ledger-text.js';
import { workgroupsOf } from './traffic-sites.js';

/** Workgroups that run at the same time on a small GPU; a large one runs more, and waits the longer for the last. */
const concurrentWorkgroups = 64;
/** The longest workgroup over the time in which all others could be done, from which on the others wait for it. */
const leastWait = 1.5;
/** Scores computed for nothing over all pairs that a kernel reaches, from which on they are worth a word. */
const leastMasked = 0.25;

interface WorkgroupLoad {
  readonly workgroup: readonly [number, number, number];
  readonly accesses: number;
}

/** Accesses of the workgroups of a pass that are known one by one: from the coverage where there is one, else the logs. */
function loadsOf(pass: number, trace: PassTrace, { coverage }: FindingSources): readonly WorkgroupLoad[] {
  const balance = coverage?.balance.filter((entry) => entry.pass === pass) ?? [];
  if (balance.length > trace.logs.length) return balance;
  return trace.logs.map(({ workgroup, count }) => ({ workgroup, accesses: count }));
}

/**
 * Passes in which one workgroup takes longer than all the others need together on a GPU that runs 64 at a time. Nothing
 * is said where not all workgroups are known: a sample says little about the longest.
 */
export function balanceFindings(sources: FindingSources): readonly TrafficFinding[] {
  return sources.context.simulation.passes.flatMap((trace, pass) => {
    const loads = loadsOf(pass, trace, sources);
    const [longest] = loads.toSorted((a, b) => b.accesses - a.accesses);
    if (!longest || loads.length < workgroupsOf(trace) || loads.length < 2) return [];
    const total = sumOf(loads, ({ accesses }) => accesses);
    const mean = total / loads.length;
    if (longest.accesses < (leastWait * total) / Math.min(concurrentWorkgroups, loads.length)) return [];
    const [most] = sources.sites.filter((traffic) => traffic.pass === pass).toSorted((a, b) => b.accesses - a.accesses);
    return {
      code: 'imbalance',
      severity: 'info',
      message: `Workgroup (${longest.workgroup.join(', ')}) of "${trace.entry}" makes ${numberText(longest.accesses / mean)} times as many accesses as the mean: the GPU waits for it at the end.`,
      remedy: 'Divide the long rows among more workgroups, and let the longest be the first to start.',
      span: most?.site.span ?? null,
      bytes: 0,
    } satisfies TrafficFinding;
  });
}

/** Scores that are computed although the mask shuts them out. */
export function maskFindings({ coverage }: FindingSources): readonly TrafficFinding[] {
  if (!coverage) return [];
  const { once, throughState, doubled, wasted } = coverage.totals;
  // Where most pairs go through a state, the few on the diagonal may be half masked: that is how chunks are.
  if (wasted === 0 || wasted < leastMasked * (once + throughState + doubled + wasted)) return [];
  const share = wasted / (once + doubled + wasted);
  return [
    {
      code: 'masked-work',
      severity: 'info',
      message: `${percentText(share)} of the scores computed are shut out by the mask.`,
      remedy: 'Leave out the tiles that the mask shuts out altogether; smaller tiles follow its edge more closely.',
      span: null,
      bytes: 0,
    },
  ];
}
