import type { TensorVerdict, WorstElement } from '../../core/numerics/verdict.js';
import type { CaseVerdict, CompareReport } from '../../lab/contract.js';
import { formatOption } from '../format.js';
import type { PageState } from '../page-state.js';
import { planeOf } from '../picture/error-map.js';

/** What of a report is looked at. The parts are null where the report has nothing of the kind. */
export interface Selection {
  readonly chosen: CaseVerdict | null;
  readonly tensor: TensorVerdict | null;
  readonly plane: number;
  readonly worst: WorstElement | null;
  readonly worstPlace: number;
}

/**
 * Finds what the page remembers in a report. Where nothing was chosen the first case that fails is shown, and in it the
 * first tensor that fails, because that is what has to be looked at.
 */
export function select(report: CompareReport, state: PageState): Selection {
  const chosen =
    report.cases.find((item) => item.name === state.caseName) ??
    report.cases.find((item) => !item.passed && item.tensors.length > 0) ??
    report.cases[0] ??
    null;
  const tensor =
    chosen?.tensors.find((item) => item.name === state.tensor) ??
    chosen?.tensors.find((item) => !item.passed) ??
    chosen?.tensors[0] ??
    null;
  const planes = tensor?.map?.planeDims.reduce((product, dim) => product * dim.size, 1) ?? 1;
  const worstPlace = Math.min(state.worst, Math.max(0, (tensor?.worst.length ?? 1) - 1));
  return {
    chosen,
    tensor,
    plane: Math.min(state.plane ?? firstWrongPlane(tensor), planes - 1),
    worst: tensor?.worst[worstPlace] ?? null,
    worstPlace,
  };
}

/** The plane of the first wrong element, which is where to look first. */
function firstWrongPlane(tensor: TensorVerdict | null): number {
  return tensor?.firstWrong ? planeAt(tensor, tensor.firstWrong) : 0;
}

/** The plane in which one of the worst elements lies, so that the map shows where its row is. */
export function planeOfWorst(tensor: TensorVerdict, place: number): number {
  const element = tensor.worst[place];
  return element ? planeAt(tensor, element.index) : 0;
}

function planeAt({ map, dimNames }: TensorVerdict, coordinates: readonly number[]): number {
  if (!map) return 0;
  const index = map.planeDims.map((dim) => coordinates[dimNames.indexOf(dim.name)] ?? 0);
  return planeOf(map, index);
}

/** What a case has that the first one has not, as the kernel file writes it: `seqlen 65, causal false`. */
export function shapeDifference(item: CaseVerdict, first: CaseVerdict): string {
  const sizes = Object.entries(item.shape)
    .filter(([name, size]) => first.shape[name] !== size)
    .map(([name, size]) => `${name} ${size}`);
  const options = Object.entries(item.options)
    .filter(([name, value]) => String(first.options[name]) !== String(value))
    .map(([name, value]) => `${name} ${formatOption(value)}`);
  return [...sizes, ...options].join(', ');
}

/** The tensor of a case that decides how it stands: the first that fails, else the one nearest to its bound. */
export function decisiveTensor(item: CaseVerdict): TensorVerdict | null {
  const failing = item.tensors.find((tensor) => !tensor.passed);
  if (failing) return failing;
  const nearness = (tensor: TensorVerdict): number => (measured(tensor) ?? Number.POSITIVE_INFINITY) / tensor.bound;
  return item.tensors.toSorted((a, b) => nearness(b) - nearness(a))[0] ?? null;
}

/** The number that a tensor's bound is for: the RMS ratio, or the largest error. Null where it is not finite. */
export function measured(tensor: TensorVerdict): number | null {
  return tensor.tolerance.kind === 'ratio' ? tensor.rmsRatio : tensor.maxAbs;
}
