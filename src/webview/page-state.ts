import type { Tab } from '../lab/panel.js';
import { savedFields } from './saved-state.js';

/** What the page itself remembers across a reload: which kernel, and what of its result was looked at. */
export interface PageState {
  readonly uri: string | null;
  readonly tab: Tab;
  /** Names, so that a selection survives a new result; null for the first. */
  readonly caseName: string | null;
  readonly tensor: string | null;
  /** Null for the first plane in which something is wrong. */
  readonly plane: number | null;
  /** Place in the list of worst elements whose row is shown. */
  readonly worst: number;
  /** Pass of the tile schedule; null for the one that does most. */
  readonly pass: number | null;
  /** Workgroup of the tile schedule as `x,y,z`; null for the middle one of those that were traced. */
  readonly workgroup: string | null;
  /** Step of that workgroup, from 0; null for the middle of its work, where there is most to see. */
  readonly step: number | null;
  /** Whether the score square shows what became of each pair instead of what has been done up to the step. */
  readonly coverage: boolean;
  /** What the bands of the memory traffic are wide by. */
  readonly measure: 'requested' | 'transferred';
  /** Tensor whose reads are mapped; null for the one of which most is read. */
  readonly readTensor: string | null;
  /** Place among the mapped planes of that tensor; null for the one of which most is read. */
  readonly readPlane: number | null;
}

/** The state of a page that has never been used. */
export const freshState: PageState = {
  uri: null,
  tab: 'compare',
  caseName: null,
  tensor: null,
  plane: null,
  worst: 0,
  pass: null,
  workgroup: null,
  step: null,
  coverage: false,
  measure: 'requested',
  readTensor: null,
  readPlane: null,
};

/** The tabs in the order in which they stand. */
export const tabs: readonly Tab[] = ['compare', 'schedule', 'traffic', 'benchmark'];

/** Reads a saved state; whatever is missing or of another kind (an older version's) takes its fresh value. */
export function readPageState(saved: unknown): PageState {
  const fields = savedFields(saved);
  const text = (name: string): string | null => {
    const value = fields.get(name);
    return typeof value === 'string' ? value : null;
  };
  const index = (name: string): number | null => {
    const value = fields.get(name);
    return typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : null;
  };
  return {
    uri: text('uri'),
    tab: tabs.find((tab) => tab === fields.get('tab')) ?? freshState.tab,
    caseName: text('caseName'),
    tensor: text('tensor'),
    plane: index('plane'),
    worst: index('worst') ?? 0,
    pass: index('pass'),
    workgroup: text('workgroup'),
    step: index('step'),
    coverage: fields.get('coverage') === true,
    measure: fields.get('measure') === 'transferred' ? 'transferred' : 'requested',
    readTensor: text('readTensor'),
    readPlane: index('readPlane'),
  };
}

/** The state after the panel turned to another kernel: the tab stays, the selection starts again. */
export function forKernel(state: PageState, uri: string): PageState {
  return state.uri === uri ? state : { ...freshState, tab: state.tab, uri };
}
