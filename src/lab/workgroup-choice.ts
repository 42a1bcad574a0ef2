import type { Plan, PlannedPass } from '../core/kernel/model.js';
import type { PassRequest } from '../core/simulator/trace.js';
import type { TraceRequest } from './contract.js';
import { LabFault } from './failure.js';

/** Executions of accesses that the workgroups beside the logged ones may cost, over all passes. */
export interface WorkgroupBudget {
  /** With everything but the log. */
  readonly followed: number;
  /** Only counted, which is cheaper by far. */
  readonly counted: number;
}

/** A pass whose other workgroups cost no more than this share of what may be followed is followed whole. */
const cheapShare = 0.25;

/** Most workgroups of a pass that are logged where every one is asked for. */
const loggedLimit = 32;

type Id = readonly [number, number, number];

/** What is to be done with the workgroups of each pass, and what the simulation that does it will have left out. */
export interface WorkgroupChoice {
  readonly requests: readonly PassRequest[];
  /**
   * Asked after the simulation: false where the budget did not reach for all that passes before the last one have to leave
   * behind for the logged workgroups. Where values of scratch buffers come from is then not known in full.
   */
  readonly isComplete: () => boolean;
}

/**
 * Which workgroups are run, and how. Logged are the first and the last one of each pass, the one in the middle of the
 * last row, and those asked for. Where there are several passes the first one is that of the last row, too.
 * Of the passes before the last one, the rows of workgroups (along x) that hold a logged one are followed whole: kernels
 * spread tokens along x, and heads and batches along y and z. The last pass is followed whole where the budget allows it,
 * and everywhere as many of the rest are counted as it does.
 */
export function chooseWorkgroups(
  plan: Plan,
  asked: TraceRequest['workgroups'],
  budget: WorkgroupBudget,
): WorkgroupChoice {
  const left = asked === 'all' ? { followed: Infinity, counted: Infinity } : { ...budget };
  let complete = true;
  const requests = plan.passes.map((pass, index): PassRequest => {
    const logged = loggedOf(plan, index, asked);
    const passesLeft = plan.passes.length - index;
    return {
      logged,
      others: (accessesPerWorkgroup) => {
        const cost = Math.max(1, accessesPerWorkgroup);
        const { beside, elsewhere } = othersOf(pass, logged);
        const others = [...beside, ...elsewhere];
        const isLast = passesLeft === 1;
        const most = affordable(others.length, left.followed, cost);
        const isCheap = others.length * cost <= cheapShare * left.followed;
        // A pass before the last one takes no more than it must. The last one is followed as a whole or not at all: a few
        // more of its workgroups would complete no picture.
        const followed = isCheap ? most : isLast ? 0 : Math.min(most, beside.length);
        if (!isLast && followed < beside.length) complete = false;
        const counted = affordable(others.length - followed, left.counted / passesLeft, cost);
        left.followed -= followed * cost;
        left.counted -= counted * cost;
        // Counted workgroups stand for those that are not run: they are spread evenly.
        return { followed: others.slice(0, followed), counted: spread(others.slice(followed), counted) };
      },
    };
  });
  return { requests, isComplete: () => complete };
}

/** The workgroups of a pass that are not logged: those in a row with a logged one, the last row first, and the rest. */
function othersOf(
  pass: PlannedPass,
  logged: readonly number[],
): { readonly beside: readonly number[]; readonly elsewhere: readonly number[] } {
  const [width] = pass.workgroups;
  const isLogged = new Set(logged);
  const rows = new Set(logged.map((at) => Math.floor(at / width)));
  const beside: number[] = [];
  const elsewhere: number[] = [];
  for (let at = countOf(pass) - 1; at >= 0; at--) {
    if (!isLogged.has(at)) (rows.has(Math.floor(at / width)) ? beside : elsewhere).push(at);
  }
  return { beside, elsewhere };
}

/** Every workgroup of each pass, logged. */
export function everyWorkgroup(plan: Plan): readonly PassRequest[] {
  return plan.passes.map((pass) => ({
    logged: Array.from({ length: countOf(pass) }, (_, index) => index),
    others: () => ({ followed: [], counted: [] }),
  }));
}

/** Every workgroup of each pass, with no log but the first one's: for what the kernel leaves in its buffers. */
export function everyResult(plan: Plan, order: 'ascending' | 'descending' = 'ascending'): readonly PassRequest[] {
  return plan.passes.map((pass) => {
    const all = Array.from({ length: countOf(pass) }, (_, index) => index);
    const [first, ...followed] = order === 'ascending' ? all : all.reverse();
    return { logged: [first!], others: () => ({ followed, counted: [] }) };
  });
}

/** The linear index of a workgroup, x fastest; throws `invalid-kernel` where the pass has no such workgroup. */
export function workgroupIndex({ entry, workgroups }: PlannedPass, id: Id): number {
  const inside = id.every((part, axis) => Number.isInteger(part) && part >= 0 && part < workgroups[axis]!);
  if (!inside) {
    throw new LabFault({
      kind: 'invalid-kernel',
      message: `"${entry}" has no workgroup ${id.join(', ')} at this shape.`,
      remedy: `It has ${workgroups.join(' × ')} workgroups, each axis counted from 0.`,
      diagnostics: [],
    });
  }
  return id[0] + workgroups[0] * (id[1] + workgroups[1] * id[2]);
}

function countOf({ workgroups }: PlannedPass): number {
  return workgroups[0] * workgroups[1] * workgroups[2];
}

function loggedOf({ passes }: Plan, index: number, asked: TraceRequest['workgroups']): readonly number[] {
  const pass = passes[index]!;
  const total = countOf(pass);
  const [x, y, z] = pass.workgroups;
  // Where they can be in one row, the three share what earlier passes have to leave behind for them.
  const middle: Id =
    x > 2 ? [Math.floor(x / 2), y - 1, z - 1] : [Math.floor(x / 2), Math.floor(y / 2), Math.floor(z / 2)];
  const first: Id = passes.length > 1 && x > 2 ? [0, y - 1, z - 1] : [0, 0, 0];
  const chosen = new Set([workgroupIndex(pass, first), workgroupIndex(pass, middle), total - 1]);
  if (asked === 'all') for (const at of spread([...Array(total).keys()], loggedLimit)) chosen.add(at);
  else if (asked !== 'sampled') {
    for (const { pass: wanted, workgroup } of asked) if (wanted === index) chosen.add(workgroupIndex(pass, workgroup));
  }
  return [...chosen].sort((a, b) => a - b);
}

function affordable(count: number, budget: number, cost: number): number {
  return Math.min(count, Math.max(0, Math.floor(budget / cost)));
}

/** `count` members of a list at even distances; the whole list where it has no more. */
function spread(list: readonly number[], count: number): readonly number[] {
  if (count >= list.length) return list;
  return Array.from({ length: count }, (_, at) => list[Math.floor((at * list.length) / count)]!);
}
