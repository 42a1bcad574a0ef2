/**
 * Plays the extension's side of the Kernel Lab in the same page, over the same channel: it answers the page's calls from
 * a snapshot, and has jobs done by the lab that the page itself hosts. Nothing of the page is replaced.
 */
import { Channel } from '../../../src/lab/channel.js';
import type { MeasuredRate } from '../../../src/core/stack/prediction.js';
import type { CaseOverride, KernelSource, Outcome } from '../../../src/lab/contract.js';
import type { HostMethods, Job, PageMethods, PanelKernel, PanelSnapshot } from '../../../src/lab/panel.js';

/** A call the page made of the extension. */
export interface Recorded {
  readonly method: string;
  readonly params: unknown;
}

/** What a test reaches as `window.harness`. */
export interface Harness {
  readonly calls: Recorded[];
  /** Violations of the content security policy. */
  readonly violations: string[];
  snapshot: PanelSnapshot;
  /** The kernel on which `start` really runs; null leaves jobs to the test. */
  kernel: KernelSource | null;
  readonly show: (change: Partial<PanelSnapshot>) => Promise<void>;
  readonly setTheme: (name: string) => void;
  readonly ready: Promise<void>;
}

interface Theme {
  readonly class: string;
  readonly colours: Readonly<Record<string, string>>;
}

interface Setup {
  readonly snapshot: PanelSnapshot;
  /** What the page of caches is given beside its texts. */
  readonly rates: readonly MeasuredRate[];
  readonly themes: Readonly<Record<string, Theme>>;
  readonly theme: string;
}

declare global {
  interface Window {
    harness: Harness;
    acquireVsCodeApi: () => {
      postMessage: (message: unknown) => void;
      getState: () => unknown;
      setState: (state: unknown) => void;
    };
  }
}

const setup = JSON.parse(document.querySelector('#setup')!.textContent) as Setup;
const receivers = new Set<(message: unknown) => void>();
const calls: Recorded[] = [];
const violations: string[] = [];
let becomeReady: () => void = () => undefined;
const ready = new Promise<void>((resolve) => (becomeReady = resolve));

document.addEventListener('securitypolicyviolation', (event) => {
  violations.push(`${event.violatedDirective}: ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`);
});

window.acquireVsCodeApi = () => ({
  postMessage: (message) => {
    const copy: unknown = structuredClone(message);
    queueMicrotask(() => receivers.forEach((receive) => receive(copy)));
  },
  getState: () => JSON.parse(sessionStorage.getItem('state') ?? 'null') as unknown,
  setState: (state) => sessionStorage.setItem('state', JSON.stringify(state)),
});

const record = <T>(method: string, params: unknown, answer: T): Promise<T> => {
  calls.push({ method, params });
  return Promise.resolve(answer);
};

const channel = new Channel<PageMethods, HostMethods>(
  {
    post: (message) => window.postMessage(message, '*'),
    listen: (receive) => {
      receivers.add(receive);
      return () => receivers.delete(receive);
    },
  },
  {
    ready: (params) => {
      const answer = record('ready', params, { ...window.harness.snapshot, rates: setup.rates });
      setTimeout(becomeReady, 0);
      return answer;
    },
    start: (params) => {
      if (window.harness.kernel) void work(params.job, window.harness.kernel);
      return record('start', params, null);
    },
    cancel: (params) => {
      stopping?.abort();
      return record('cancel', params, null);
    },
    traceWorkgroup: (params) => record('traceWorkgroup', params, null),
    setOverride: (params) => {
      void window.harness.show({ kernel: chosen(window.harness.snapshot.kernel, params.override) });
      return record('setOverride', params, null);
    },
    setTab: (params) => {
      void window.harness.show({ tab: params.tab });
      return record('setTab', params, null);
    },
    reveal: (params) => record('reveal', params, null),
    command: (params) => record('command', params, null),
    save: (params) => record('save', params, null),
  },
);

/** The kernel with sizes and options chosen, those that follow left as they are. */
function chosen(kernel: PanelKernel | null, { shape, options }: CaseOverride): PanelKernel | null {
  if (!kernel) return null;
  return {
    ...kernel,
    dimensions: kernel.dimensions.map((field) =>
      field.follows === null ? { ...field, value: shape[field.name] ?? field.fileValue } : field,
    ),
    options: kernel.options.map((field) => ({ ...field, value: options[field.name] ?? field.fileValue })),
  };
}

let stopping: AbortController | null = null;

async function work(job: Job, kernel: KernelSource): Promise<void> {
  const override: CaseOverride | null = null;
  stopping = new AbortController();
  const options = { signal: stopping.signal };
  await window.harness.show({ running: job, failure: null });
  const request = { workgroups: 'sampled', subgroupSize: 32, scaling: true } as const;
  const outcome: Outcome<object> = await channel.call(
    job,
    { kernel, kernels: [kernel], override, seed: 1, request },
    options,
  );
  await window.harness.show(
    outcome.ok
      ? { running: null, [job]: { report: outcome.value, at: Date.now(), stale: false } }
      : { running: null, failure: { job, failure: outcome.failure } },
  );
}

function setTheme(name: string): void {
  const theme = setup.themes[name]!;
  const root = document.documentElement;
  for (const other of Object.values(setup.themes)) {
    for (const variable of Object.keys(other.colours)) root.style.removeProperty(`--vscode-${variable}`);
  }
  for (const [variable, value] of Object.entries(theme.colours)) root.style.setProperty(`--vscode-${variable}`, value);
  root.style.setProperty('--vscode-font-family', 'system-ui, "DejaVu Sans", sans-serif');
  root.style.setProperty('--vscode-font-size', '13px');
  root.style.setProperty('--vscode-font-weight', 'normal');
  root.style.setProperty('--vscode-editor-font-family', '"DejaVu Sans Mono", monospace');
  root.style.setProperty('--vscode-editor-font-size', '14px');
  document.body.className = theme.class;
  document.body.dataset.vscodeThemeKind = theme.class;
}

window.harness = {
  calls,
  violations,
  snapshot: setup.snapshot,
  kernel: null,
  show: async (change) => {
    window.harness.snapshot = { ...window.harness.snapshot, ...change };
    await channel.call('show', { snapshot: window.harness.snapshot });
  },
  setTheme,
  ready,
};
setTheme(setup.theme);
