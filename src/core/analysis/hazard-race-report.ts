import type { PassTrace, WorkgroupLog } from '../simulator/trace.js';
import type { Hazard } from './hazard.js';
import { barrierFix, partedBy, type BarrierFix, type SiteOrder } from './hazard-barriers.js';
import { elementText, hazardOf, type HazardSearch } from './hazard-context.js';
import { orderedEpochs, racesBetweenWorkgroups, racesInWorkgroups, type Race } from './hazard-races.js';
import { tupleText } from './hazard-words.js';

/**
 * The races of a simulated case, told for people. Left out are those that another hazard leads to: of accesses whose
 * index was bad, in passes whose barriers not all invocations reached, and those that go with the barrier that another
 * race asks for.
 */
export function raceHazards(search: HazardSearch): readonly Hazard[] {
  return search.context.simulation.passes.flatMap((pass, index) => {
    const table = search.tables[index]!;
    const misled = search.misled[index]!;
    const meant = ({ first, second }: Race): boolean => !misled.has(first) && !misled.has(second);
    const inside = search.disordered[index] ? [] : racesInWorkgroups(pass, table).filter(meant);
    const between = racesBetweenWorkgroups(pass, table).filter(meant);
    return [
      ...onePerBarrier(search, pass, inside).map((race) => tellInside(search, pass, race)),
      ...between.map((race) => tellBetween(search, pass, race)),
    ];
  });
}

/** A race within a workgroup, in which order its sites are come by, and the barriers that would part them. */
interface OrderedRace {
  readonly race: Race;
  readonly order: SiteOrder;
  readonly fix: BarrierFix | null;
}

/** Races without those that the barriers of another one part as well. */
function onePerBarrier(search: HazardSearch, pass: PassTrace, races: readonly Race[]): readonly OrderedRace[] {
  let kept = races.map((race): OrderedRace => {
    const order = orderOf(pass.logs[race.log]!, race, pass.sites[race.first]!.space);
    return { race, order, fix: fixOf(search, pass, race, order) };
  });
  const index = search.indexOf(pass.entry);
  if (!index) return kept;
  for (const { race, order, fix } of [...kept].reverse()) {
    const [first, second] = [pass.sites[race.first]!, pass.sites[race.second]!];
    const known = order.forward || order.backward;
    const covers = ({ fix: other }: OrderedRace): boolean =>
      other !== null && other !== fix && partedBy(index, other.spots, first, second, order);
    const cause = known ? kept.find((other) => other.race !== race && covers(other)) : undefined;
    if (!cause) continue;
    const count = cause.race.count + race.count;
    kept = kept.filter((other) => other.race !== race);
    kept = kept.map((other) => (other === cause ? { ...other, race: { ...other.race, count } } : other));
  }
  return kept;
}

/** The two sites of a race, a write first; of two writes the one that stands first in the source. */
function writeFirst(pass: PassTrace, { first, second }: Race): readonly [number, number] {
  const [a, b] = [pass.sites[first]!, pass.sites[second]!];
  const writes = (kind: string): boolean => kind === 'write';
  if (writes(a.kind) !== writes(b.kind)) return writes(a.kind) ? [first, second] : [second, first];
  return a.span.start <= b.span.start ? [first, second] : [second, first];
}

const verbs = { read: 'reads', write: 'writes', atomic: 'updates', declare: 'declares' } as const;

function tellInside(search: HazardSearch, pass: PassTrace, { race, fix }: OrderedRace): Hazard {
  const { lines } = search.context;
  const [here, there] = writeFirst(pass, race).map((site) => pass.sites[site]!) as [Site, Site];
  const log = pass.logs[race.log]!;
  const element = elementText(search, pass, here, race.byte);
  const actors = [race.firstActor, race.secondActor].sort((a, b) => a - b);
  const who = `Invocations ${actors.join(' and ')} of workgroup ${tupleText(log.workgroup)}`;
  const same = here === there;
  const deed = same
    ? 'both write it here'
    : `one ${verbs[here.kind]} it here, the other ${verbs[there.kind]} it in line ${lines.lineAt(there.span.start)}`;
  const alike = same && writesOneValue(search, pass, here);
  const outcome = alike
    ? 'They write the same value, so that it does not matter which comes last; a race it is all the same.'
    : there.kind === 'read'
      ? 'Whether the old or the new value is read is up to chance.'
      : 'Which of the two lasts is up to chance.';
  const own = here.space === 'storage' ? 'storageBarrier()' : 'workgroupBarrier()';
  const apart = race.parted
    ? `with none but ${here.space === 'storage' ? 'workgroupBarrier()' : 'storageBarrier()'} between them, which does not order ${here.space === 'storage' ? 'storage' : 'workgroup memory'}`
    : 'without a barrier between them';
  return hazardOf(search, {
    kind: 'race-in-workgroup',
    severity: alike ? 'warning' : 'error',
    span: here.span,
    message: `${who} meet at ${element} ${apart}: ${deed}. ${outcome}`,
    remedy: race.parted
      ? `Put a ${own} between the two as well.`
      : fix
        ? `Put a ${own} between the two.`
        : alike
          ? 'Let one invocation write it.'
          : here.kind === 'write' && there.kind === 'write'
            ? 'Give each invocation an element of its own, or make it atomic.'
            : 'Part the two by a barrier that all invocations of the workgroup reach.',
    variable: here.variable,
    count: race.count,
    other: same ? null : { span: there.span, label: `The other access: it ${verbs[there.kind]} ${here.variable}.` },
    example: { entry: pass.entry, workgroup: log.workgroup, invocations: actors, epoch: race.epoch },
    fix: fix && { title: fix.title, edits: fix.edits },
  });
}

type Site = PassTrace['sites'][number];

/** Whether the statement of a write stores a value that is the same for all invocations. */
function writesOneValue({ indexOf }: HazardSearch, { entry }: PassTrace, site: Site): boolean {
  const index = indexOf(entry);
  const statement = index?.statementAt(site.functionName, site.span);
  return statement?.kind === 'assign' && index!.uniformity.sameValue(statement.value);
}

function fixOf({ context, indexOf }: HazardSearch, pass: PassTrace, race: Race, order: SiteOrder): BarrierFix | null {
  const index = indexOf(pass.entry);
  const [first, second] = [pass.sites[race.first]!, pass.sites[race.second]!];
  if (!index || first === second || (first.space !== 'workgroup' && first.space !== 'storage')) return null;
  return barrierFix(context.source, index, first, second, order, first.space);
}

/** In which order the invocations of a race come by its two sites between the barriers around it that order the memory. */
function orderOf(log: WorkgroupLog, race: Race, space: Site['space']): SiteOrder {
  const order = { forward: false, backward: false };
  const ordered = race.parted ? orderedEpochs(log, space === 'storage' ? space : 'workgroup') : null;
  const isWithin = (epoch: number): boolean =>
    ordered ? ordered[epoch] === ordered[race.epoch] : epoch === race.epoch;
  for (const actor of [race.firstActor, race.secondActor]) {
    let seenFirst = false;
    let seenSecond = false;
    for (let s = 0; s < log.segments; s++) {
      if (log.segmentInvocation[s] !== actor || !isWithin(log.segmentEpoch[s]!)) continue;
      const end = s + 1 < log.segments ? log.segmentStart[s + 1]! : log.count;
      for (let at = log.segmentStart[s]!; at < end; at++) {
        if (log.site[at] === race.first) {
          seenFirst = true;
          order.backward ||= seenSecond;
        } else if (log.site[at] === race.second) {
          seenSecond = true;
          order.forward ||= seenFirst;
        }
      }
    }
  }
  return order;
}

function tellBetween(search: HazardSearch, pass: PassTrace, race: Race): Hazard {
  const { lines } = search.context;
  const [here, there] = writeFirst(pass, race).map((site) => pass.sites[site]!) as [Site, Site];
  const element = elementText(search, pass, here, race.byte);
  const ids = [race.firstActor, race.secondActor].map((linear) => tupleText(idOf(pass, linear)));
  const same = here === there;
  const deed = same
    ? 'both write it here'
    : `one ${verbs[here.kind]} it here, the other ${verbs[there.kind]} it in line ${lines.lineAt(there.span.start)}`;
  return hazardOf(search, {
    kind: 'race-between-workgroups',
    severity: 'error',
    span: here.span,
    message: `Workgroups ${ids.join(' and ')} meet at ${element} in one dispatch: ${deed}. Nothing orders workgroups.`,
    remedy:
      there.kind === 'read'
        ? 'Read it in a pass of its own, after the one that writes it.'
        : 'Let one workgroup alone write each element, make it atomic, or divide the work into two passes.',
    variable: here.variable,
    count: race.count,
    other: same ? null : { span: there.span, label: `The other workgroup ${verbs[there.kind]} ${here.variable} here.` },
    example: { entry: pass.entry, workgroup: idOf(pass, race.secondActor), invocations: [], epoch: race.epoch },
  });
}

function idOf({ workgroups: [x, y] }: PassTrace, linear: number): readonly [number, number, number] {
  return [linear % x, Math.floor(linear / x) % y, Math.floor(linear / (x * y))];
}
