import type { AnalysisContext } from './context.js';
import type { Coverage } from './coverage.js';
import type { Ledger, TensorTraffic, TrafficFinding } from './ledger.js';
import { trafficFindings } from './ledger-findings.js';
import { readHeat } from './ledger-heat.js';
import { lineGroups } from './ledger-lines.js';
import { sumOf, tensorTraffic } from './ledger-tensors.js';
import { bytesText, numberText } from './ledger-text.js';
import { siteTraffic, type SiteTraffic } from './traffic-sites.js';
import { findTouches } from './traffic-touch.js';

/**
 * Every byte that a simulated kernel moves. What counts accesses alone is exact where all workgroups ran; else it is
 * scaled up by their number. The coverage, where there is one, adds findings about masked and unbalanced work.
 */
export function buildLedger(context: AnalysisContext, coverage: Coverage | null = null): Ledger {
  const { plan, simulation } = context;
  const sites = siteTraffic(simulation);
  const touches = findTouches(simulation, sites, (buffer) => {
    const content = plan.buffers[buffer]?.content;
    return content?.kind === 'tensor' && content.role === 'input';
  });
  const groups = lineGroups(context, sites);
  const tensors = tensorTraffic(context, sites, touches);
  const findings = trafficFindings({ context, sites, groups, touches, coverage });
  const totals = totalsOf(context, tensors, sites);
  return {
    tensors,
    lines: groups.map(({ line }) => line),
    workgroup: workgroupTraffic(context, sites),
    totals,
    findings,
    sentence: sentenceOf(totals, findings),
    scaling: null,
    heat: readHeat(context, touches),
  };
}

function workgroupTraffic({ simulation }: AnalysisContext, sites: readonly SiteTraffic[]): Ledger['workgroup'] {
  const shared = sites.filter(({ site }) => site.space === 'workgroup');
  const names = [...new Set(shared.map(({ site }) => site.variable))];
  // An atomic access reads and writes.
  const bytesOf = (left: 'read' | 'write', variable: string | null): number =>
    sumOf(shared, ({ site, requestedBytes }) =>
      (variable === null || site.variable === variable) && (site.kind === left || site.kind === 'atomic')
        ? requestedBytes
        : 0,
    );
  const free = sumOf(shared, ({ cyclesWithoutConflicts }) => cyclesWithoutConflicts);
  return {
    capacityBytes: Math.max(0, ...simulation.passes.map(({ workgroupBytes }) => workgroupBytes)),
    readBytes: bytesOf('read', null),
    writtenBytes: bytesOf('write', null),
    bankConflict: free > 0 ? sumOf(shared, ({ cycles }) => cycles) / free : 1,
    byVariable: names.map((variable) => ({
      variable,
      readBytes: bytesOf('read', variable),
      writtenBytes: bytesOf('write', variable),
    })),
  };
}

function totalsOf(
  { plan }: AnalysisContext,
  tensors: readonly TensorTraffic[],
  sites: readonly SiteTraffic[],
): Ledger['totals'] {
  const moved = tensors.filter(({ role }) => role !== 'uniform');
  const requestedBytes = sumOf(moved, (tensor) => tensor.readBytes + tensor.writtenBytes + tensor.atomicBytes);
  const transferredBytes = sumOf(moved, (tensor) => tensor.transferredReadBytes + tensor.transferredWrittenBytes);
  const workgroupBytes = sumOf(sites, ({ site, requestedBytes: bytes }) => (site.space === 'workgroup' ? bytes : 0));
  const { compulsoryBytes, flops } = plan;
  const per = (bytes: number): number | null => (bytes > 0 ? flops / bytes : null);
  return {
    compulsoryBytes,
    requestedBytes,
    transferredBytes,
    flops,
    intensity: {
      compulsory: flops / compulsoryBytes,
      requested: per(requestedBytes),
      transferred: per(transferredBytes),
      workgroup: per(workgroupBytes),
    },
  };
}

function sentenceOf(totals: Ledger['totals'], findings: readonly TrafficFinding[]): string {
  const times = numberText(totals.transferredBytes / totals.compulsoryBytes);
  const moved = `${bytesText(totals.transferredBytes)} move to and from device memory, ${times} times the compulsory ${bytesText(totals.compulsoryBytes)}.`;
  const [first] = findings;
  return first ? `${moved} ${first.message}` : `${moved} Nothing stands out that could be saved.`;
}
