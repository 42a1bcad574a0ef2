import type { AnalysisContext } from './context.js';
import type { LineTraffic } from './ledger.js';
import { compulsoryBytesOf, sumOf } from './ledger-tensors.js';
import type { SiteTraffic } from './traffic-sites.js';

/** A row of the table with the sites it sums up, the one that moves most first. */
export interface LineGroup {
  readonly line: LineTraffic;
  readonly sites: readonly [SiteTraffic, ...SiteTraffic[]];
}

/** The sites of one pass and source line that access the same variable in the same way, as rows of a table. */
export function lineGroups(context: AnalysisContext, sites: readonly SiteTraffic[]): readonly LineGroup[] {
  const groups = new Map<string, [SiteTraffic, ...SiteTraffic[]]>();
  for (const traffic of sites) {
    const { pass, site } = traffic;
    const key = [pass, context.lines.lineAt(site.span.start), site.space, site.variable, site.kind].join(' ');
    const group = groups.get(key);
    if (group) group.push(traffic);
    else groups.set(key, [traffic]);
  }
  return [...groups.values()]
    .map((group) => {
      group.sort((a, b) => b.transferredBytes - a.transferredBytes);
      return { line: lineTraffic(context, group), sites: group };
    })
    .sort((a, b) => a.line.pass - b.line.pass || a.line.line - b.line.line);
}

function lineTraffic(context: AnalysisContext, group: LineGroup['sites']): LineTraffic {
  const [{ pass, site }] = group;
  const number = context.lines.lineAt(site.span.start);
  const requestedBytes = sumOf(group, (traffic) => traffic.requestedBytes);
  const transferredBytes = sumOf(group, (traffic) => traffic.transferredBytes);
  const distinctBytes = sumOf(group, (traffic) => traffic.distinctBytes);
  const buffer = site.buffer === null ? undefined : context.plan.buffers[site.buffer];
  const compulsoryBytes = buffer === undefined ? 0 : compulsoryBytesOf(buffer);
  const cyclesWithoutConflicts = sumOf(group, (traffic) => traffic.cyclesWithoutConflicts);
  return {
    line: number,
    text: context.lines.textOf(number),
    span: site.span,
    pass,
    variable: site.variable,
    space: site.space,
    kind: site.kind,
    accesses: sumOf(group, ({ accesses }) => accesses),
    requestedBytes,
    transferredBytes,
    efficiency: transferredBytes > 0 ? distinctBytes / transferredBytes : 1,
    bankConflict:
      site.space === 'workgroup' && cyclesWithoutConflicts > 0
        ? sumOf(group, ({ cycles }) => cycles) / cyclesWithoutConflicts
        : null,
    timesCompulsory: compulsoryBytes > 0 ? requestedBytes / compulsoryBytes : null,
  };
}
