import type { Schedule, ScheduleStep, WorkgroupSchedule } from '../../core/analysis/schedule.js';

/** The steps of one workgroup along time. Time is counted in memory accesses: no clock runs in a simulation. */
export interface Lane {
  readonly schedule: WorkgroupSchedule;
  /** When each step ends; it begins where the one before ends, the first at 0. */
  readonly ends: Float64Array;
  readonly duration: number;
}

/** Accesses of one step to memory of any kind, at least one. */
export function stepWeight(step: ScheduleStep): number {
  return Math.max(1, step.deviceAccesses + step.workgroupAccesses);
}

/** Lays the steps of a workgroup along time. */
export function makeLane(schedule: WorkgroupSchedule): Lane {
  const ends = new Float64Array(schedule.steps.length);
  let time = 0;
  schedule.steps.forEach((step, i) => {
    time += stepWeight(step);
    ends[i] = time;
  });
  return { schedule, ends, duration: time };
}

/** When a step begins. */
export function stepStart(lane: Lane, step: number): number {
  return step <= 0 ? 0 : lane.ends[step - 1]!;
}

/** The step that is under way at a time; the last one from the end on. O(log steps). */
export function stepAt(lane: Lane, time: number): number {
  let low = 0;
  let high = lane.ends.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (lane.ends[middle]! > time) high = middle;
    else low = middle + 1;
  }
  return Math.max(0, low);
}

/** How many steps are done at a time. O(log steps). */
export function stepsDone(lane: Lane, time: number): number {
  const last = lane.ends.length - 1;
  if (last < 0) return 0;
  return time >= lane.ends[last]! ? last + 1 : stepAt(lane, time);
}

/** A step that shows what a workgroup is about: past the middle of its work, one that computes from what it holds. */
export function tellingStep(lane: Lane): number {
  const { steps } = lane.schedule;
  const middle = stepAt(lane, lane.duration * 0.55);
  const forming = steps.findIndex((step, i) => i >= middle && step.scores.length > 0);
  return forming === -1 ? middle : forming;
}

/** A workgroup's id as the page remembers it. */
export function workgroupKey(workgroup: readonly [number, number, number]): string {
  return workgroup.join(',');
}

/** What of a schedule is looked at. `lane` is one of `lanes`, the traced workgroups of the pass. */
export interface ScheduleChoice {
  readonly pass: number;
  readonly lanes: readonly Lane[];
  readonly lane: Lane;
}

/**
 * Finds the pass and the workgroup that the page remembers, or else the pass that forms most scores (the one with most
 * accesses where none does) and the middle one of its workgroups. Null where nothing was traced.
 */
export function chooseLane(schedule: Schedule, pass: number | null, workgroup: string | null): ScheduleChoice | null {
  const traced = schedule.workgroups.filter((item) => item.steps.length > 0);
  const known = traced.some((item) => item.pass === pass) ? pass : null;
  const chosen = known ?? mainPass(traced);
  if (chosen === null) return null;
  const lanes = traced.filter((item) => item.pass === chosen).map(makeLane);
  const lane =
    lanes.find((item) => workgroupKey(item.schedule.workgroup) === workgroup) ?? lanes[Math.floor(lanes.length / 2)];
  return lane ? { pass: chosen, lanes, lane } : null;
}

function mainPass(traced: readonly WorkgroupSchedule[]): number | null {
  let best: { readonly pass: number; readonly scores: number; readonly weight: number } | null = null;
  for (const pass of new Set(traced.map((item) => item.pass))) {
    let scores = 0;
    let weight = 0;
    for (const { steps } of traced.filter((item) => item.pass === pass)) {
      for (const step of steps) {
        scores += step.scores.length;
        weight += stepWeight(step);
      }
    }
    if (!best || scores > best.scores || (scores === best.scores && weight > best.weight)) {
      best = { pass, scores, weight };
    }
  }
  return best?.pass ?? null;
}

/**
 * Where each tile of keys begins, as steps in order, the first 0: a step with scores of other keys than before begins
 * one, together with the steps just before it that load those keys.
 */
export function tileStarts({ schedule: { steps } }: Lane): readonly number[] {
  const starts = [0];
  let current: string | null = null;
  steps.forEach((step, i) => {
    const score = step.scores[0];
    if (!score) return;
    const key = `${score.by} ${score.rect.column0} ${score.rect.column1}`;
    if (key === current) return;
    let first = i;
    while (first > starts.at(-1)! + 1 && loadsRows(steps[first - 1]!, score.rect.column0, score.rect.column1)) first--;
    if (current !== null && first > starts.at(-1)!) starts.push(first);
    current = key;
  });
  const store = steps.findIndex((step, i) => i > starts.at(-1)! && step.kind === 'store');
  if (store > 0) starts.push(store);
  return starts;
}

function loadsRows(step: ScheduleStep, from: number, to: number): boolean {
  return (
    step.scores.length === 0 &&
    step.accesses.some(({ mode, rect }) => mode === 'read' && rect.row0 >= from && rect.row1 <= to)
  );
}
