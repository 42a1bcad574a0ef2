import type { Severity } from '../diagnostic.js';
import type { AnalysisContext } from './context.js';
import type { CaseHazards, Hazard } from './hazard.js';
import { hazardSearch } from './hazard-context.js';
import { faultHazards } from './hazard-fault-report.js';
import { uninitialisedHazards, unreadHazards } from './hazard-memory-report.js';
import { raceHazards } from './hazard-race-report.js';

/**
 * The hazards of one simulated case, from its faults and its logs. Simulate it whole: every workgroup logged, faults
 * recorded. What was not logged is not seen.
 */
export function findHazards(context: AnalysisContext, caseName: string): CaseHazards {
  const search = hazardSearch(context, caseName);
  const { hazards: unread, readWrites } = unreadHazards(search);
  const hazards = [...faultHazards(search), ...raceHazards(search), ...uninitialisedHazards(search), ...unread];
  return { caseName, hazards: merge(hazards), readWrites };
}

/**
 * The hazards of several cases of one kernel, each once, in the order of the source. What is written for some cases
 * alone is no hazard, so that one case by itself does not tell a write that is never read.
 */
export function mergeHazards(perCase: readonly CaseHazards[]): readonly Hazard[] {
  const read = new Set(perCase.flatMap(({ readWrites }) => readWrites));
  const hazards = perCase.flatMap((theCase) => theCase.hazards);
  const isReal = ({ kind, span }: Hazard): boolean =>
    kind !== 'never-read' || (perCase.length > 1 && !read.has(span.start));
  return merge(hazards.filter(isReal));
}

const ranks: Readonly<Record<Severity, number>> = { error: 0, warning: 1, info: 2 };

/** What two hazards are the same by: the barrier that parts both races, or the place that is to be changed. */
function keyOf({ kind, span, fix }: Hazard): string {
  if (kind === 'race-in-workgroup' && fix) return `${kind} ${JSON.stringify(fix.edits)}`;
  return `${kind} ${span.start} ${span.end}`;
}

function merge(hazards: readonly Hazard[]): readonly Hazard[] {
  const merged = new Map<string, Hazard>();
  for (const hazard of hazards) {
    const key = keyOf(hazard);
    const known = merged.get(key);
    if (!known) {
      merged.set(key, hazard);
      continue;
    }
    const better = ranks[hazard.severity] < ranks[known.severity] || hazard.span.start < known.span.start;
    merged.set(key, { ...(better ? hazard : known), count: hazard.count + known.count });
  }
  return [...merged.values()].sort((a, b) => a.span.start - b.span.start || ranks[a.severity] - ranks[b.severity]);
}
