import type { KeySplit, Schedule, TileAccess } from '../../core/analysis/schedule.js';
import type { TraceReport } from '../../lab/contract.js';
import { chooseLane, tileStarts, type ScheduleChoice } from './lanes.js';
import { scoreProgress, type ScoreProgress } from './score-progress.js';

/** All that the pictures of one workgroup need, worked out once so that going to another step costs nothing. */
export interface ScheduleModel extends ScheduleChoice {
  readonly report: TraceReport;
  readonly schedule: Schedule;
  readonly progress: ScoreProgress | null;
  /** Steps at which tiles of keys begin. */
  readonly tiles: readonly number[];
  /** For each tensor and step, the plane that was touched last. */
  readonly planes: ReadonlyMap<string, Int32Array>;
  /** The parts of the keys of the plane's queries that the traced workgroups of the pass have; one may be the lane's own. */
  readonly splits: readonly KeySplit[];
  /** The longest lane of the pass. */
  readonly duration: number;
}

/** Works out the pictures' data for a workgroup of a report; null where nothing was traced. */
export function makeModel(report: TraceReport, pass: number | null, workgroup: string | null): ScheduleModel | null {
  const { schedule, coverage } = report;
  const choice = chooseLane(schedule, pass, workgroup);
  if (!choice) return null;
  const planes = planesOf(schedule, choice.lane.schedule.steps);
  const plane = scorePlane(schedule, choice, planes);
  return {
    ...choice,
    report,
    schedule,
    progress: scoreProgress(schedule, coverage, choice.lanes, plane),
    tiles: tileStarts(choice.lane),
    planes,
    splits: choice.lanes.flatMap((lane) => (lane.schedule.split?.plane === plane ? lane.schedule.split : [])),
    duration: Math.max(...choice.lanes.map((lane) => lane.duration)),
  };
}

/** The plane of each tensor that a step looks at. */
export function planesAt(model: ScheduleModel, step: number): ReadonlyMap<string, number> {
  return new Map([...model.planes].map(([tensor, planes]) => [tensor, planes[step] ?? 0]));
}

/** What a source line does: its sites, the rectangles they touch in the chosen workgroup, and the steps of each lane. */
export interface LineLight {
  readonly sites: ReadonlySet<number>;
  readonly accesses: readonly TileAccess[];
  /** For each lane, 1 for each step in which the line touches memory. */
  readonly steps: readonly Uint8Array[];
}

/** Rectangles lit for one line at most: more would be a blur. */
const mostLit = 64;

/** Finds what a line of the source (from 1) does in a model; nothing for null. */
export function lightOf(model: ScheduleModel, line: number | null): LineLight {
  const sites = new Set<number>();
  model.schedule.sites.forEach((site, i) => {
    if (site.line === line && site.pass === model.pass) sites.add(i);
  });
  const accesses = new Map<string, TileAccess>();
  const steps = model.lanes.map((lane) => {
    const lit = new Uint8Array(lane.schedule.steps.length);
    lane.schedule.steps.forEach((step, i) => {
      if (line !== null && step.line === line) lit[i] = 1;
      if (sites.size === 0) return;
      for (const access of step.accesses) {
        if (!access.sites.some((site) => sites.has(site))) continue;
        lit[i] = 1;
        if (lane !== model.lane || accesses.size >= mostLit) continue;
        const { row0, row1, column0, column1 } = access.rect;
        accesses.set([access.tensor, access.mode, access.plane, row0, row1, column0, column1].join(' '), access);
      }
    });
    return lit;
  });
  return { sites, accesses: [...accesses.values()], steps };
}

function planesOf(
  schedule: Schedule,
  steps: ScheduleModel['lane']['schedule']['steps'],
): ReadonlyMap<string, Int32Array> {
  return new Map(
    schedule.tensors.map(({ name }) => {
      const planes = new Int32Array(steps.length);
      let current = steps.flatMap((step) => step.accesses).find((access) => access.tensor === name)?.plane ?? 0;
      steps.forEach((step, i) => {
        current = step.accesses.find((access) => access.tensor === name)?.plane ?? current;
        planes[i] = current;
      });
      return [name, planes] as const;
    }),
  );
}

/** The plane whose scores the workgroup forms; where it forms none, the one its queries or keys lie in. */
function scorePlane(schedule: Schedule, { lane }: ScheduleChoice, planes: ReadonlyMap<string, Int32Array>): number {
  for (const step of lane.schedule.steps) if (step.scores[0]) return step.scores[0].plane;
  for (const step of lane.schedule.steps) if (step.states[0]) return step.states[0].plane;
  const near = planes.get('q')?.[0] ?? planes.get('k')?.[0] ?? 0;
  return Math.min(near, Math.max(0, (schedule.score?.planes ?? 1) - 1));
}
