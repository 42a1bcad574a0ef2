import type { CaseOverride } from '../lab/contract.js';
import type { HostMethods, Job, Tab } from '../lab/panel.js';
import type { PageState } from './page-state.js';

/** A command the page offers in an empty or error state. */
export type HostCommand = Parameters<HostMethods['command']>[0]['command'];

/** How a picture or its table is saved where the user chooses. */
export interface SaveActions {
  readonly saveText: (suggestedName: string, text: string) => void;
  readonly savePng: (suggestedName: string, base64: Promise<string>) => void;
}

/** Everything a part of the page can ask for. Failures are shown by the page itself. */
export interface Actions extends SaveActions {
  readonly start: (job: Job) => void;
  readonly cancel: () => void;
  readonly setOverride: (override: CaseOverride) => void;
  readonly setTab: (tab: Tab) => void;
  readonly reveal: (start: number, end: number) => void;
  /** Traces the kernel again with this workgroup of a pass beside the sampled ones. */
  readonly traceWorkgroup: (pass: number, workgroup: readonly [number, number, number]) => void;
  readonly command: (command: HostCommand) => void;
  /** Changes what is looked at, which the page remembers across a reload. */
  readonly look: (change: Partial<Omit<PageState, 'uri' | 'tab'>>) => void;
}
