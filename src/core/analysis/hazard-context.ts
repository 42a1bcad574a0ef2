import type { Span } from '../diagnostic.js';
import type { PassTrace, Site } from '../simulator/trace.js';
import { lowerProgram } from '../wgsl/lower.js';
import type { AnalysisContext } from './context.js';
import type { Hazard, HazardKind } from './hazard.js';
import { siteTable, type SiteTable } from './hazard-sites.js';
import { bufferText, coordinatesText, elementPath } from './hazard-words.js';
import { indexProgram, type ProgramIndex } from './program-index.js';

/** One simulated case with what the searches for hazards share. */
export interface HazardSearch {
  readonly context: AnalysisContext;
  readonly caseName: string;
  /** A site table for each pass. */
  readonly tables: readonly SiteTable[];
  /** For each pass, the sites that touch another element than the source says, as their index was bad. */
  readonly misled: readonly ReadonlySet<number>[];
  /** For each pass, whether its invocations left their order: a barrier that not all reached, a loop without an end. */
  readonly disordered: readonly boolean[];
  /** The program of a pass, looked up when a hazard asks for it; null where it cannot be lowered again. */
  readonly indexOf: (entry: string) => ProgramIndex | null;
}

/** Prepares a search. */
export function hazardSearch(context: AnalysisContext, caseName: string): HazardSearch {
  const indices = new Map<string, ProgramIndex | null>();
  const { passes } = context.simulation;
  return {
    context,
    caseName,
    misled: passes.map(misledSites),
    disordered: passes.map(({ faults }) =>
      faults.some(({ kind }) => kind === 'non-uniform-barrier' || kind === 'endless-loop'),
    ),
    tables: passes.map(siteTable),
    indexOf: (entry) => {
      const known = indices.get(entry);
      if (known !== undefined) return known;
      const { code, toSource, constants } = context.plan;
      const lowered = lowerProgram(code, toSource, entry, constants);
      const index = lowered.ok ? indexProgram(lowered.program) : null;
      indices.set(entry, index);
      return index;
    },
  };
}

/** The sites around the indices that were out of bounds or overflowed. */
function misledSites({ sites, faults }: PassTrace): ReadonlySet<number> {
  const bad = faults.filter(({ kind }) => kind === 'out-of-bounds' || kind === 'index-overflow');
  const around = ({ span }: Site): boolean =>
    bad.some((fault) => span.start <= fault.span.start && fault.span.end <= span.end);
  return new Set(sites.flatMap((site, index) => (around(site) ? [index] : [])));
}

/** What is particular to one hazard; `hazardOf` adds what follows from it. */
export type HazardParts = Pick<Hazard, 'kind' | 'severity' | 'span' | 'message' | 'remedy' | 'variable' | 'count'> & {
  readonly other: { readonly span: Span; readonly label: string } | null;
  readonly example: Omit<Hazard['example'], 'caseName'>;
  readonly fix?: Hazard['fix'];
};

/** A hazard from its parts. */
export function hazardOf({ context, caseName }: HazardSearch, parts: HazardParts): Hazard {
  const { lines } = context;
  return {
    ...parts,
    code: codeOf(parts.kind),
    line: lines.lineAt(parts.span.start),
    other: parts.other && { ...parts.other, line: lines.lineAt(parts.other.span.start) },
    example: { ...parts.example, caseName },
    fix: parts.fix ?? null,
  };
}

/** The diagnostic code of a kind of hazard. */
export function codeOf(kind: HazardKind): string {
  return `hazard-${kind}`;
}

/** What lies at a byte of a site's variable, in words: `tile[12]`, `o[40] (batch 0, heads 1, seqlen 2, headDim 8)`. */
export function elementText(search: HazardSearch, pass: PassTrace, site: Site, byte: number): string {
  const index = search.indexOf(pass.entry);
  const variable =
    index?.program.variables.find(({ id }) => id === site.variableId) ??
    index?.declarationOf(site.variableId)?.variable;
  const path = variable && variable.type.kind !== 'subgroup-matrix' ? elementPath(variable.type, byte) : '';
  const buffer = site.buffer === null ? undefined : search.context.plan.buffers[site.buffer];
  if (buffer?.content.kind !== 'tensor') return `${site.variable}${path}`;
  return `${site.variable}${path} (${buffer.content.tensor} at ${coordinatesText(buffer.content.view, byte)})`;
}

/** How people know the buffer of a variable, by its name in the WGSL. */
export function variableText({ context }: HazardSearch, variable: string): string {
  const buffer = context.plan.buffers.find((planned) => planned.variable === variable);
  return bufferText(variable, buffer);
}
