import { linearRegression } from 'simple-statistics';
import type { AnalysisContext } from './context.js';
import type { Ledger, TrafficScaling } from './ledger.js';
import { isMemorySite, scaledCount, type MemorySite } from './traffic-sites.js';

type Point = TrafficScaling['points'][number];

/**
 * The traffic of a simulation that only counted its accesses, of the kernel of `ledger` at another shape. Requested bytes
 * are those counts, scaled up where not all workgroups ran. How many sectors an access takes is not seen there: each
 * source line is taken to move as many bytes for each that it asks for as it does in `ledger`.
 */
export function countedTraffic(context: AnalysisContext, ledger: Ledger): Omit<Point, 'size'> {
  const { plan, simulation } = context;
  const keyOf = (pass: number, { span, variable, kind }: Pick<MemorySite, 'span' | 'variable' | 'kind'>): string =>
    [pass, context.lines.lineAt(span.start), variable, kind].join(' ');
  const known = new Map(
    ledger.lines.map((line) => [keyOf(line.pass, line), line.transferredBytes / line.requestedBytes]),
  );
  let requestedBytes = 0;
  let transferredBytes = 0;
  for (const [pass, trace] of simulation.passes.entries()) {
    for (const [at, site] of trace.sites.entries()) {
      if (!isMemorySite(site) || site.buffer === null || trace.siteCounts[at] === 0) continue;
      if (plan.buffers[site.buffer]!.content.kind === 'uniform') continue;
      const bytes = scaledCount(trace, at) * site.bytes;
      requestedBytes += bytes;
      transferredBytes += bytes * (known.get(keyOf(pass, site)) ?? 1);
    }
  }
  return { compulsoryBytes: plan.compulsoryBytes, requestedBytes, transferredBytes };
}

/** The ledger with its traffic at other sequence lengths: `points` in any order, at least two for an exponent other than 1. */
export function withScaling(ledger: Ledger, points: TrafficScaling['points']): Ledger {
  const sorted = points.toSorted((a, b) => a.size - b.size);
  const logs = sorted
    .filter(({ size, requestedBytes }) => size > 0 && requestedBytes > 0)
    .map(({ size, requestedBytes }) => [Math.log(size), Math.log(requestedBytes)]);
  const sizes = new Set(sorted.map(({ size }) => size)).size;
  const exponent = sizes > 1 ? linearRegression(logs).m : 1;
  return { ...ledger, scaling: { dimension: 'seqlen', points: sorted, exponent } };
}
