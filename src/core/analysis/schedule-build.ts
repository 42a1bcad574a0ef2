import type { AnalysisContext } from './context.js';
import { linearIndex } from './coverage-build.js';
import { pairSizes, partsOf } from './pair-sizes.js';
import { AccessCollector, bufferPlaces, tensorName } from './schedule-access.js';
import { mergeSteps } from './schedule-merge.js';
import { scheduleSentence } from './schedule-sentence.js';
import { keySplits } from './schedule-splits.js';
import { workgroupSteps } from './schedule-steps.js';
import type { Schedule, ScheduleSite, ScheduleStep, ScheduleTensor } from './schedule.js';
import { partsOfTensors } from './tensor-parts.js';
import { planeShape, viewOf } from './tensor-places.js';

/** Steps of all workgroups together, and least and most of one: a report must stay small enough to send and to keep. */
const mostSteps = 2400;
const leastPerWorkgroup = 120;
const mostPerWorkgroup = 2000;

/** Which tile is where at each step of the logged workgroups. */
export function buildSchedule(context: AnalysisContext): Schedule {
  const { plan, simulation, provenance } = context;
  const sites: ScheduleSite[] = [];
  const places = bufferPlaces(plan);
  const logs = simulation.passes.reduce((sum, pass) => sum + pass.logs.length, 0);
  const limit = Math.min(Math.max(Math.floor(mostSteps / Math.max(logs, 1)), leastPerWorkgroup), mostPerWorkgroup);
  const range = context.mechanism.visibleKeys?.(plan.shape, plan.options) ?? null;
  const byPass = simulation.passes.map((trace, pass) => {
    const collector = new AccessCollector(plan, trace.sites, numberSites(context, pass, sites), places);
    return trace.logs.map((log): readonly ScheduleStep[] => {
      const index = linearIndex(log.workgroup, trace.workgroups);
      const record = provenance?.workgroups.find((own) => own.pass === pass && own.workgroup === index) ?? null;
      const keepsState = provenance !== null && record?.keepsState(provenance.space.keys) === true;
      return workgroupSteps({ context, trace, log, collector, record, keepsState, range });
    });
  });
  const tensors = scheduleTensors(context);
  // For the gradients of keys, too, workgroups divide the keys, but each ends with its own.
  const values = tensors.filter(({ parts }) => context.computation.direction !== 'backward' && parts.includes('value'));
  const splits = byPass.map((workgroups) => keySplits(workgroups, new Set(values.map(({ name }) => name))));
  return {
    tensors,
    score: scoreMatrix(context),
    pages: provenance?.space.pages ?? null,
    sites,
    workgroups: byPass.flatMap((workgroups, pass) =>
      workgroups.map((steps, index) => ({
        pass,
        workgroup: simulation.passes[pass]!.logs[index]!.workgroup,
        split: splits[pass]![index] ?? null,
        steps: mergeSteps(steps, limit, tensors),
        merged: steps.length > limit,
      })),
    ),
    sentence: scheduleSentence(context, byPass, splits),
  };
}

/** Appends the memory sites of a pass to `sites`; gives the number of each of the pass's sites there, else -1. */
function numberSites(context: AnalysisContext, pass: number, sites: ScheduleSite[]): readonly number[] {
  return context.simulation.passes[pass]!.sites.map(({ kind, space, variable, span }) => {
    if (kind === 'declare' || (space !== 'storage' && space !== 'uniform' && space !== 'workgroup')) return -1;
    return sites.push({ pass, span, line: context.lines.lineAt(span.start), variable, space, kind }) - 1;
  });
}

function scheduleTensors({ plan, mechanism, computation }: AnalysisContext): readonly ScheduleTensor[] {
  const own = partsOf(mechanism, computation);
  const parts = own && partsOfTensors(own, computation.tensors);
  const tensors = new Map<string, ScheduleTensor>();
  plan.buffers.forEach((buffer, index) => {
    const view = viewOf(buffer);
    if (!view) return;
    const name = tensorName(plan, index);
    const { planeAxes, rows, columns, pageRows } = planeShape(view.dimNames, view.dims);
    const planeDims = planeAxes.map((axis) => ({ name: view.dimNames[axis]!, size: view.dims[axis]! }));
    const role = buffer.content.kind === 'tensor' ? buffer.content.role : 'scratch';
    tensors.set(name, { name, role, parts: parts?.get(name) ?? [], planeDims, rows, columns, pageRows });
  });
  return [...tensors.values()];
}

function scoreMatrix({ plan, mechanism, computation }: AnalysisContext): Schedule['score'] {
  const sizes = pairSizes(mechanism, computation, plan);
  return sizes && { rows: sizes.queries, columns: sizes.keys, planes: sizes.planes };
}
