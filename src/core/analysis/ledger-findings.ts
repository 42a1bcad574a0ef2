import type { AnalysisContext } from './context.js';
import type { Coverage } from './coverage.js';
import type { TrafficFinding } from './ledger.js';
import type { LineGroup } from './ledger-lines.js';
import { contentName, sumOf } from './ledger-tensors.js';
import { bytesText, numberText, percentText } from './ledger-text.js';
import { balanceFindings, maskFindings } from './ledger-work.js';
import { workgroupsOf, type SiteTraffic } from './traffic-sites.js';
import type { Touches } from './traffic-touch.js';

/** What findings are made from. */
export interface FindingSources {
  readonly context: AnalysisContext;
  readonly sites: readonly SiteTraffic[];
  readonly groups: readonly LineGroup[];
  readonly touches: Touches;
  readonly coverage: Coverage | null;
}

/** Below this part of all bytes (or cycles) there is nothing to gain that anybody would notice. */
const leastShare = 0.05;
/** Accesses that waste less of their sectors than this are as good as coalesced: edges of tensors waste some. */
const goodEfficiency = 0.8;
/** Cycles over cycles without conflicts from which on a conflict is one. */
const leastConflict = 1.25;
/** Reads of the same byte by one workgroup, and by different ones, from which on they are worth a word. */
const leastRereadsWithin = 1.9;
const leastRereadsBetween = 4;
/** Part of an invocation's accesses that must follow one another for a wider access to take their place. */
const leastWalk = 0.7;
/** The widest access WGSL has: a vec4 of 4-byte numbers. */
const widestBytes = 16;
/** Scratch that moves more than this times the compulsory bytes is what the kernel spends its time on. */
const mostScratch = 4;
const severityRank = { warning: 0, info: 1 } as const;
/** Workgroup memory that every WebGPU device offers. */
const workgroupBytesEverywhere = 16_384;

/** Everything about a kernel's traffic that could be better: warnings first, of each kind the most bytes first. */
export function trafficFindings(sources: FindingSources): readonly TrafficFinding[] {
  const deviceBytes = sumOf(sources.sites, ({ site, transferredBytes }) =>
    site.space === 'storage' ? transferredBytes : 0,
  );
  const uncoalesced = sources.groups.filter((group) => isUncoalesced(group, deviceBytes));
  return [
    ...uncoalesced.map((group) => uncoalescedFinding(group, sources)),
    ...sources.groups
      .filter((group) => !uncoalesced.includes(group))
      .flatMap((group) => narrowFinding(group, sources, deviceBytes)),
    ...rereadFindings(sources, deviceBytes),
    ...bankFindings(sources),
    ...scratchFindings(sources, deviceBytes),
    ...stagingFindings(sources),
    ...balanceFindings(sources),
    ...maskFindings(sources),
  ].sort((a, b) => severityRank[a.severity] - severityRank[b.severity] || b.bytes - a.bytes);
}

/** "Line 72 reads k", for the beginning of a sentence. */
function subjectOf({ line }: LineGroup): string {
  const verb = line.kind === 'read' ? 'reads' : line.kind === 'write' ? 'writes' : 'changes';
  return `Line ${line.line} ${verb} ${line.variable}`;
}

/** How far apart neighbouring invocations' addresses are, as an explanation in brackets, where that can be said. */
function strideText({ sites: [{ laneStride, site }] }: LineGroup): string {
  if (laneStride === null || Math.abs(laneStride) <= site.bytes) return '';
  return ` (neighbouring invocations are ${bytesText(Math.abs(laneStride))} apart)`;
}

function walkOf({ sites: [{ pass, site }] }: LineGroup, { context, touches }: FindingSources): number {
  const index = context.simulation.passes[pass]?.sites.indexOf(site) ?? -1;
  return touches.walks[pass]?.[index] ?? 0;
}

/** Bytes of the sectors that no lane asked for. */
function wastedBytes({ line }: LineGroup): number {
  return line.transferredBytes * (1 - line.efficiency);
}

/** A broadcast wastes most of its one sector too, but moves less than its lanes ask for: nothing is wrong with it. */
function isUncoalesced(group: LineGroup, deviceBytes: number): boolean {
  const { line } = group;
  return (
    line.space === 'storage' &&
    line.efficiency < goodEfficiency &&
    line.transferredBytes >= line.requestedBytes &&
    wastedBytes(group) >= leastShare * deviceBytes
  );
}

function uncoalescedFinding(group: LineGroup, sources: FindingSources): TrafficFinding {
  const { line } = group;
  const distinctBytes = line.transferredBytes * line.efficiency;
  const walks = walkOf(group, sources) >= leastWalk && group.sites[0].site.bytes < widestBytes;
  const wider = walks ? ' At least take a vec4 at a time: each invocation walks through neighbouring elements.' : '';
  const remedy =
    line.kind === 'read'
      ? `Let neighbouring invocations read neighbouring elements, or load the tile together into workgroup memory first.${wider}`
      : `Let neighbouring invocations write neighbouring elements.${wider}`;
  return {
    code: 'uncoalesced',
    severity: 'warning',
    message: `${subjectOf(group)} with ${percentText(line.efficiency)} of the sectors used: ${bytesText(line.transferredBytes)} move for ${bytesText(distinctBytes)}${strideText(group)}.`,
    remedy,
    span: line.span,
    bytes: wastedBytes(group),
  };
}

function narrowFinding(group: LineGroup, sources: FindingSources, deviceBytes: number): readonly TrafficFinding[] {
  const { line } = group;
  const { bytes } = group.sites[0].site;
  const saved = line.transferredBytes * (1 - bytes / widestBytes);
  if (line.space !== 'storage' || line.kind === 'atomic' || bytes >= 8) return [];
  if (walkOf(group, sources) < leastWalk || saved < leastShare * deviceBytes) return [];
  return [
    {
      code: 'narrow-access',
      severity: 'info',
      message: `${subjectOf(group)} ${bytes} bytes at a time, although each invocation walks through neighbouring elements.`,
      remedy: `Declare it as an array of vec4 and take four elements at once, where rows are a multiple of four elements long.`,
      span: line.span,
      bytes: saved,
    },
  ];
}

function rereadFindings(sources: FindingSources, deviceBytes: number): readonly TrafficFinding[] {
  return sources.touches.passes.flatMap((touch) => {
    const reads = sources.sites.filter(
      ({ pass, site }) => pass === touch.pass && site.buffer === touch.buffer && site.kind === 'read',
    );
    const trace = sources.context.simulation.passes[touch.pass];
    const buffer = sources.context.plan.buffers[touch.buffer];
    if (!trace || !buffer || touch.readPerWorkgroupBytes === 0) return [];
    const [most] = reads.toSorted((a, b) => b.transferredBytes - a.transferredBytes);
    const transferred = sumOf(reads, ({ transferredBytes }) => transferredBytes);
    // At least 1: where not all workgroups were logged, both sides are scaled up by different counts.
    const within = Math.max(1, sumOf(reads, ({ distinctBytes }) => distinctBytes) / touch.readPerWorkgroupBytes);
    const between = Math.max(1, touch.readPerWorkgroupBytes / touch.readBytes);
    const place = { span: most?.site.span ?? null, name: contentName(buffer) };
    const savedWithin = transferred * (1 - 1 / within);
    const savedBetween = (transferred / within) * (1 - 1 / between);
    const findings: TrafficFinding[] = [];
    if (within >= leastRereadsWithin && savedWithin >= leastShare * deviceBytes) {
      const tileBytes = touch.readPerWorkgroupBytes / workgroupsOf(trace);
      findings.push({
        code: 'reread',
        severity: 'warning',
        message: `Each workgroup of "${trace.entry}" reads every byte of ${place.name} that it needs ${numberText(within)} times: ${bytesText(transferred)} move where ${bytesText(transferred / within)} would do.`,
        remedy: keepRemedy(tileBytes, trace.workgroupBytes),
        span: place.span,
        bytes: savedWithin,
      });
    }
    if (between >= leastRereadsBetween && savedBetween >= leastShare * deviceBytes) {
      findings.push({
        code: 'reread',
        severity: 'info',
        message: `Every byte of ${place.name} is read by ${numberText(between)} workgroups of "${trace.entry}" on average, ${bytesText(transferred / within)} for ${bytesText(transferred / within / between)}.`,
        remedy: 'Let a workgroup do more with what it reads: a tile twice as large halves the readings.',
        span: place.span,
        bytes: savedBetween,
      });
    }
    return findings;
  });
}

/** How to read a tile only once, given its size and the workgroup memory already in use, per workgroup. */
function keepRemedy(tileBytes: number, usedBytes: number): string {
  const need = `${bytesText(tileBytes)} a workgroup`;
  if (tileBytes > 2 * workgroupBytesEverywhere) {
    return `What a workgroup reads (${need}) is too large to keep: give it a smaller part at a time, and finish with that part.`;
  }
  if (tileBytes + usedBytes <= workgroupBytesEverywhere) {
    return `Read it once and keep it in workgroup memory (${need}, beside ${bytesText(usedBytes)} in use) or in registers.`;
  }
  return `Read it once and keep it in registers, or in workgroup memory if there is room (${need}, beside ${bytesText(usedBytes)} in use; ${bytesText(workgroupBytesEverywhere)} are available everywhere).`;
}

function bankFindings({ groups, sites }: FindingSources): readonly TrafficFinding[] {
  const allCycles = sumOf(sites, ({ cycles }) => cycles);
  return groups.flatMap((group) => {
    const { line } = group;
    const cycles = sumOf(group.sites, (traffic) => traffic.cycles);
    const extra = cycles - sumOf(group.sites, (traffic) => traffic.cyclesWithoutConflicts);
    const conflict = line.bankConflict ?? 1;
    if (conflict < leastConflict || extra < leastShare * allCycles) return [];
    return {
      code: 'bank-conflict',
      severity: extra >= 4 * leastShare * allCycles ? 'warning' : 'info',
      message: `${subjectOf(group)} in workgroup memory with bank conflicts: it takes ${numberText(conflict)} times the cycles${strideText(group)}.`,
      remedy: `Pad the rows of ${line.variable} by one element, so that they begin in different banks, or swap the roles of its rows and columns.`,
      span: line.span,
      bytes: line.transferredBytes * (extra / cycles),
    } satisfies TrafficFinding;
  });
}

function scratchFindings({ context, sites }: FindingSources, deviceBytes: number): readonly TrafficFinding[] {
  return context.plan.buffers.flatMap(({ variable, content }, index) => {
    const own = sites.filter(({ site }) => site.buffer === index);
    const [most] = own.toSorted((a, b) => b.transferredBytes - a.transferredBytes);
    const bytes = sumOf(own, ({ transferredBytes }) => transferredBytes);
    const share = bytes / deviceBytes;
    if (content.kind !== 'scratch' || !most || share < 0.25) return [];
    return {
      code: 'scratch-traffic',
      severity: bytes > mostScratch * context.plan.compulsoryBytes ? 'warning' : 'info',
      message: `${variable}, which the mathematics does not ask for, moves ${bytesText(bytes)}: ${percentText(share)} of all bytes.`,
      remedy:
        'Fuse passes so that it stays on the chip, make it smaller (larger chunks make fewer of them), or store it as f16.',
      span: most.site.span,
      bytes,
    } satisfies TrafficFinding;
  });
}

function stagingFindings({ context, sites, touches }: FindingSources): readonly TrafficFinding[] {
  return touches.workgroup.flatMap(({ pass, variable, isShared }) => {
    const own = sites.filter(
      (traffic) => traffic.pass === pass && traffic.site.space === 'workgroup' && traffic.site.variable === variable,
    );
    const [first] = own;
    const [x, y, z] = context.simulation.passes[pass]?.workgroupSize ?? [1, 1, 1];
    if (!first || isShared || x * y * z === 1) return [];
    return {
      code: 'unused-staging',
      severity: 'info',
      message: `No invocation reads from ${variable} what another one put there: as workgroup memory it is not needed.`,
      remedy: 'Keep the values in a variable of the function, and leave out the barriers that guard this one.',
      span: first.site.span,
      bytes: sumOf(own, ({ requestedBytes }) => requestedBytes),
    } satisfies TrafficFinding;
  });
}
