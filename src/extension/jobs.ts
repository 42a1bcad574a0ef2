import * as vscode from 'vscode';
import type {
  BenchmarkReport,
  CaseOverride,
  CompareReport,
  ConsistencyReport,
  HazardReport,
  KernelSource,
  LabFailure,
  Outcome,
  Progress,
  RunReport,
  TraceReport,
  TraceRequest,
} from '../lab/contract.js';
import type { Kernel } from '../core/kernel/model.js';
import type { Job } from '../lab/panel.js';
import type { Diagnostics } from './diagnostics.js';
import { Timer } from './disposal.js';
import type { Kernels } from './kernels.js';
import { PageLostError, PageSilentError, type LabPanel } from './labPanel.js';
import type { Results } from './results.js';
import { siblingKernels } from './siblings.js';

/** How long a page that was told to stop may take until it is loaded anew. */
const stopGraceMs = 5_000;

/** The reports of the jobs. */
export interface JobReports {
  readonly run: RunReport;
  readonly compare: CompareReport;
  readonly benchmark: BenchmarkReport;
  readonly trace: TraceReport;
  readonly hazards: HazardReport;
  readonly consistency: ConsistencyReport;
}

/** The methods that do a job on the simulator where no GPU can. */
const simulatedTwins: Partial<Readonly<Record<Job, 'compareSimulated' | 'consistencySimulated'>>> = {
  compare: 'compareSimulated',
  consistency: 'consistencySimulated',
};

/** The job that is running now. */
export interface RunningJob {
  readonly job: Job;
  readonly uri: string;
  readonly progress: Progress | null;
}

interface ActiveJob {
  readonly job: Job;
  readonly uri: vscode.Uri;
  readonly controller: AbortController;
  progress: Progress | null;
  timedOut: boolean;
  readonly grace: Timer;
}

/** Runs one job at a time on the panel's lab, with the text as it stands in the editor, and keeps what comes of it. */
export class Jobs implements vscode.Disposable {
  private active: ActiveJob | null = null;
  private readonly changed = new vscode.EventEmitter<void>();

  /** A job began, went on or ended. */
  readonly onDidChange = this.changed.event;

  constructor(
    private readonly kernels: Kernels,
    private readonly results: Results,
    private readonly diagnostics: Diagnostics,
    private readonly panel: LabPanel,
    private readonly log: vscode.LogOutputChannel,
  ) {}

  /** The running job, or null. */
  get running(): RunningJob | null {
    const { active } = this;
    return active === null ? null : { job: active.job, uri: active.uri.toString(), progress: active.progress };
  }

  /**
   * Runs a job on a document and stores its report or its failure. Never rejects. The caller has made sure that the
   * workspace is trusted, that the document is a kernel and that no other job is running. `workgroups` are those a trace
   * is about.
   */
  async start<K extends Job>(
    job: K,
    document: vscode.TextDocument,
    workgroups: TraceRequest['workgroups'] = 'sampled',
  ): Promise<Outcome<JobReports[K]>> {
    const kernel = this.kernels.read(document);
    if (kernel === null || this.active !== null) {
      throw new Error('A job needs a kernel, and no other job beside it.');
    }
    const active: ActiveJob = {
      job,
      uri: document.uri,
      controller: new AbortController(),
      progress: null,
      timedOut: false,
      grace: new Timer(() => {
        this.log.warn('The Kernel Lab did not stop when told to and is loaded anew.');
        this.panel.reload();
      }),
    };
    this.active = active;
    this.changed.fire();
    let outcome: Outcome<JobReports[K]>;
    try {
      await this.results.update(document.uri, { failed: null });
      const siblings = job === 'consistency' ? await siblingKernels(document, kernel) : [];
      outcome = await this.call(active, job, [kernel, ...siblings], workgroups);
      // A lab that was stopped by the watchdog reports that it was cancelled.
      if (!outcome.ok && active.timedOut) outcome = { ok: false, failure: this.failureOf(null, active) };
    } catch (error) {
      outcome = { ok: false, failure: this.failureOf(error, active) };
    } finally {
      active.grace.dispose();
      this.active = null;
    }
    await this.keep(job, document, kernel.hash, outcome);
    this.changed.fire();
    return outcome;
  }

  /** Stops the running job, if there is one: it ends as cancelled, at the latest after a grace of some seconds. */
  cancel(): void {
    if (this.active !== null) this.stop(this.active);
  }

  dispose(): void {
    this.cancel();
    this.changed.dispose();
  }

  private async call<K extends Job>(
    active: ActiveJob,
    job: K,
    read: readonly Kernel[],
    workgroups: TraceRequest['workgroups'],
  ): Promise<Outcome<JobReports[K]>> {
    const settings = vscode.workspace.getConfiguration('tilescope', active.uri);
    const timeoutMs = settings.get<number>('timeoutSeconds', 120) * 1000;
    const seed = settings.get<number>('compare.seed', 1);
    const subgroupSize = settings.get<number>('simulator.subgroupSize', 32);
    const chosen = this.results.get(active.uri).override;
    const override = job === 'consistency' ? withoutTokens(chosen, read[0]!) : chosen;
    const kernels = read.map(({ name, source }): KernelSource => ({ name, text: source }));
    const features = new Set(read.flatMap((kernel) => kernel.features));
    const watchdog = new Timer(() => {
      active.timedOut = true;
      this.stop(active);
    });
    const onProgress = (progress: Progress): void => {
      watchdog.restart(timeoutMs);
      active.progress = progress;
      this.changed.fire();
    };
    watchdog.restart(timeoutMs);
    try {
      const options = { signal: active.controller.signal, onProgress };
      const request = { workgroups, subgroupSize, scaling: true };
      const params = { kernel: kernels[0]!, kernels, override, seed, request, subgroupSize };
      let answer: Outcome<JobReports[Job]> = await this.panel.call(job, params, options);
      const simulated = simulatedTwins[job];
      if (simulated !== undefined && lacksGpu(answer, features)) {
        this.log.info(`${job} ${active.uri.toString()}: no GPU that can run it, so the simulator does`);
        answer = await this.panel.call(simulated, params, options);
      }
      // The contract gives each method its report.
      return answer as Outcome<JobReports[K]>;
    } finally {
      watchdog.dispose();
    }
  }

  private stop(active: ActiveJob): void {
    active.controller.abort();
    active.grace.startOnce(stopGraceMs);
  }

  private async keep<K extends Job>(
    job: K,
    document: vscode.TextDocument,
    hash: string,
    outcome: Outcome<JobReports[K]>,
  ): Promise<void> {
    if (outcome.ok) {
      this.log.info(`${job} ${document.uri.toString()}: done`);
      // A kernel that ran was compiled without complaint; a simulation asks no driver.
      const simulated = !('device' in outcome.value) || outcome.value.device.host === 'simulator';
      if (outcome.value.hash === hash && !simulated) {
        this.diagnostics.setDriver(document, { hash, diagnostics: [] });
      }
      await this.results.update(document.uri, { [job]: { report: outcome.value, at: Date.now() } });
      return;
    }
    const { failure } = outcome;
    this.log.warn(`${job} ${document.uri.toString()}: ${failure.kind}: ${failure.message}`);
    if (failure.kind === 'compile-error')
      this.diagnostics.setDriver(document, { hash, diagnostics: failure.diagnostics });
    if (failure.kind !== 'cancelled') await this.results.update(document.uri, { failed: { job, hash, failure } });
  }

  private failureOf(error: unknown, active: ActiveJob): LabFailure {
    const stopped = active.controller.signal.aborted;
    const failure = (kind: LabFailure['kind'], message: string, remedy: string | null): LabFailure => ({
      kind,
      message,
      remedy,
      diagnostics: [],
    });
    if (active.timedOut) {
      return failure(
        'timeout',
        vscode.l10n.t('The job made no progress for too long and was stopped.'),
        vscode.l10n.t('Look for a loop that never ends, choose a smaller shape, or raise tilescope.timeoutSeconds.'),
      );
    }
    if (stopped) return failure('cancelled', vscode.l10n.t('The job was stopped.'), null);
    if (error instanceof PageLostError && error.closed) return failure('cancelled', error.message, null);
    if (error instanceof PageSilentError) {
      return failure(
        'internal',
        error.message,
        vscode.l10n.t(
          'Close the Kernel Lab and try again; "Developer: Open Webview Developer Tools" shows its errors.',
        ),
      );
    }
    if (error instanceof PageLostError) {
      return failure('internal', error.message, vscode.l10n.t('Start the job again.'));
    }
    this.log.error(error instanceof Error ? error : String(error));
    const message = error instanceof Error ? error.message : String(error);
    return failure('internal', message, vscode.l10n.t('Start the job again; the Tilescope log has the details.'));
  }
}

/** True where there is no GPU to compare on, or one without a feature that the kernel needs. */
function lacksGpu(answer: Outcome<JobReports[Job]>, features: ReadonlySet<string>): boolean {
  if (!answer.ok) return answer.failure.kind === 'no-device';
  if (!('device' in answer.value)) return false;
  const { device } = answer.value;
  return [...features].some((feature) => !device.features.includes(feature));
}

/** An override without a number of tokens: how a sequence is cut is the check's own matter. */
function withoutTokens(override: CaseOverride | null, { mechanism }: Kernel): CaseOverride | null {
  if (override === null) return null;
  const tokens = mechanism?.recurrence?.tokens ?? [];
  const shape = Object.fromEntries(Object.entries(override.shape).filter(([name]) => !tokens.includes(name)));
  return { ...override, shape };
}
