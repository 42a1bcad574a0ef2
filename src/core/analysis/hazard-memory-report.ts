import type { PassTrace } from '../simulator/trace.js';
import type { Hazard } from './hazard.js';
import { elementText, hazardOf, type HazardSearch } from './hazard-context.js';
import { initialiseFix } from './hazard-fixes.js';
import { unwrittenVariableReads, unwrittenWorkgroupReads, type UnwrittenRead } from './hazard-uninitialised.js';
import { useOfWrites, type WriteSite } from './hazard-unread.js';
import { tupleText } from './hazard-words.js';

/**
 * Reads of what nobody has written, told for people. Left out are those that another hazard leads to: by an index that
 * was bad, of a variable that such an index should have written, and in passes whose order was lost.
 */
export function uninitialisedHazards(search: HazardSearch): readonly Hazard[] {
  return search.context.simulation.passes.flatMap((pass, index) => {
    if (search.disordered[index]) return [];
    const table = search.tables[index]!;
    const spoilt = new Set([...search.misled[index]!].map((site) => table.variable[site]));
    const meant = ({ variable }: UnwrittenRead): boolean => !spoilt.has(variable);
    const shared = onePerVariable(unwrittenWorkgroupReads(pass, table).filter(meant));
    const own = onePerVariable(unwrittenVariableReads(pass, table).filter(meant));
    return [...shared.map((read) => tellShared(search, pass, read)), ...own.map((read) => tellOwn(search, pass, read))];
  });
}

/** The worst read of each variable: what is to be mended is what fills or declares it. */
function onePerVariable(reads: readonly UnwrittenRead[]): readonly UnwrittenRead[] {
  const worst = new Map<number, UnwrittenRead>();
  for (const read of reads) {
    const known = worst.get(read.variable);
    if (!known || (known.kind === 'variable' && read.kind === 'loop-variable')) worst.set(read.variable, read);
  }
  return [...worst.values()];
}

const exampleOf = (
  pass: PassTrace,
  { log, invocation, epoch }: UnwrittenRead | WriteSite,
): Omit<Hazard['example'], 'caseName'> => ({
  entry: pass.entry,
  workgroup: pass.logs[log]!.workgroup,
  invocations: [invocation],
  epoch,
});

function tellShared(search: HazardSearch, pass: PassTrace, read: UnwrittenRead): Hazard {
  const site = pass.sites[read.site]!;
  const example = exampleOf(pass, read);
  const who = `Invocation ${read.invocation} of workgroup ${tupleText(example.workgroup)}`;
  const element = elementText(search, pass, site, read.byte);
  return hazardOf(search, {
    kind: 'uninitialised-workgroup',
    severity: 'warning',
    span: site.span,
    message: `${who} reads ${element} here, which no invocation has written: it is the zero that workgroup memory begins with.`,
    remedy: `Write it before it is read, or read no further than ${site.variable} is filled.`,
    variable: site.variable,
    count: read.count,
    other: null,
    example,
  });
}

function tellOwn(search: HazardSearch, pass: PassTrace, read: UnwrittenRead): Hazard {
  const site = pass.sites[read.site]!;
  const declaration = search.indexOf(pass.entry)?.declarationOf(site.variableId) ?? null;
  const { source, lines } = search.context;
  const element = elementText(search, pass, site, read.byte);
  const line = lines.lineAt(site.span.start);
  const loop = read.kind === 'loop-variable';
  const fix = declaration && initialiseFix(source, declaration);
  return hazardOf(search, {
    kind: loop ? 'loop-variable-not-zeroed' : 'uninitialised-private',
    severity: loop ? 'warning' : 'info',
    span: declaration?.variable.nameSpan ?? site.span,
    message: loop
      ? `Line ${line} reads ${element} before this time round the loop has written it. WGSL makes it zero each time; Tint on Vulkan does not, and the value of the time before is read.`
      : `Line ${line} reads ${element} before it is written: it is the zero that a variable without an initializer begins with.`,
    remedy: fix ? 'Give it an initializer.' : 'Write it before it is read.',
    variable: site.variable,
    count: read.count,
    other: declaration ? { span: site.span, label: `${site.variable} is read here.` } : null,
    example: exampleOf(pass, read),
    fix,
  });
}

/** Writes that nobody reads, told for people, and the starts of those that somebody does. */
export function unreadHazards(search: HazardSearch): { hazards: readonly Hazard[]; readWrites: readonly number[] } {
  const { passes } = search.context.simulation;
  // Where a pass went astray, nothing says which of its reads are missing.
  if (search.disordered.includes(true)) return { hazards: [], readWrites: [] };
  const { unread, read } = useOfWrites(passes, search.tables, search.context.plan.buffers);
  const readWrites = read.map(({ pass, site }) => passes[pass]!.sites[site]!.span.start);
  const meant = unread.filter(({ pass, site }) => !isSpoilt(search, pass, site));
  const hazards = meant.map((write) => tellUnread(search, passes[write.pass]!, write));
  return { hazards: hazards.filter(({ span }) => !readWrites.includes(span.start)), readWrites };
}

/** Whether some access to the variable of a site went elsewhere, as its index was bad: it may be the read that is missed. */
function isSpoilt({ context, misled }: HazardSearch, pass: number, site: number): boolean {
  const { passes } = context.simulation;
  const { variable } = passes[pass]!.sites[site]!;
  return misled.some((sites, other) => [...sites].some((index) => passes[other]!.sites[index]!.variable === variable));
}

function tellUnread(search: HazardSearch, pass: PassTrace, write: WriteSite): Hazard {
  const site = pass.sites[write.site]!;
  const where = site.space === 'workgroup' ? 'the workgroup ends' : 'the last pass ends';
  return hazardOf(search, {
    kind: 'never-read',
    severity: 'warning',
    span: site.span,
    message: `Nothing that is written to ${site.variable} here is ever read: it is overwritten, or ${where} first.`,
    remedy: 'Remove the write, or read what was meant to be read.',
    variable: site.variable,
    count: write.count,
    other: null,
    example: exampleOf(pass, write),
  });
}
