import type { Job, PanelSnapshot } from '../../lab/panel.js';
import { formatSpread, formatTime } from '../format.js';
import { t } from '../strings.js';

/** How a kernel stands: the word, the icon and the colour class that say it. */
export interface Headline {
  readonly tone: 'right' | 'wrong' | 'busy' | 'idle';
  readonly icon: string;
  readonly text: string;
  readonly stale: boolean;
}

/** The state of the kernel in one or two words, for the top of the panel. */
export function headline(snapshot: PanelSnapshot): Headline {
  const { kernel, running, failure, benchmark } = snapshot;
  const compare = standingComparison(snapshot);
  const stale = compare?.stale ?? false;
  if (!kernel) return { tone: 'idle', icon: 'circle-outline', text: t('no kernel'), stale: false };
  if (running) return { tone: 'busy', icon: 'sync', text: runningWords(running), stale: false };
  if (kernel.problems.some((problem) => problem.severity === 'error')) {
    return { tone: 'wrong', icon: 'error', text: t('problems in the file'), stale: false };
  }
  // A simulation that failed says nothing of what the kernel does on the GPU, and a check of several nothing of this one.
  const onGpu = failure !== null && !['trace', 'hazards', 'consistency'].includes(failure.job);
  if (onGpu && failure.failure.kind !== 'cancelled') {
    return { tone: 'wrong', icon: 'warning', text: t('no result'), stale: false };
  }
  if (compare) {
    return compare.report.passed
      ? { tone: 'right', icon: 'pass-filled', text: t('right'), stale }
      : { tone: 'wrong', icon: 'error', text: t('wrong'), stale };
  }
  // A benchmark carries the passing comparison that allowed it.
  if (benchmark) return { tone: 'right', icon: 'pass-filled', text: t('right'), stale: benchmark.stale };
  return { tone: 'idle', icon: 'circle-outline', text: t('not compared yet'), stale: false };
}

/** The last comparison, unless a benchmark of a newer source (which carries a passing one of its own) has overtaken it. */
function standingComparison({ compare, benchmark }: PanelSnapshot): PanelSnapshot['compare'] {
  if (!compare || !benchmark) return compare;
  return benchmark.at > compare.at && benchmark.report.hash !== compare.report.hash ? null : compare;
}

/** The measured time and its spread, or null where none may be shown. */
export function headlineTime(
  snapshot: PanelSnapshot,
): { value: string; unit: string; spread: string; stale: boolean } | null {
  const kept = snapshot.benchmark;
  if (!kept || speedWithheld(snapshot)) return null;
  const { gpuTimeNs } = kept.report;
  return { ...formatTime(gpuTimeNs.median), spread: formatSpread(gpuTimeNs), stale: kept.stale };
}

/** True where the latest comparison of the text under edit failed: then no speed is shown. */
export function speedWithheld(snapshot: PanelSnapshot): boolean {
  const { compare, benchmark } = snapshot;
  if (!compare || compare.report.passed) return false;
  return benchmark === null || compare.report.hash === benchmark.report.hash || compare.at > benchmark.at;
}

/** What a running job does, in words. */
export function runningWords(job: Job): string {
  switch (job) {
    case 'run':
      return t('running');
    case 'compare':
      return t('comparing');
    case 'benchmark':
      return t('measuring');
    case 'trace':
      return t('tracing');
    case 'hazards':
      return t('looking for hazards');
    case 'consistency':
      return t('checking consistency');
  }
}

/** What a screen reader is told when one snapshot follows another; null where nothing ended or began. */
export function announcement(before: PanelSnapshot | null, after: PanelSnapshot): string | null {
  if (!before) return null;
  if (after.running && !before.running) {
    return {
      run: t('Run started'),
      compare: t('Compare started'),
      benchmark: t('Benchmark started'),
      trace: t('Trace started'),
      hazards: t('Hazard check started'),
      consistency: t('Consistency check started'),
    }[after.running];
  }
  if (!before.running || after.running) return null;
  if (after.failure) return `${jobWord(before.running)}: ${after.failure.failure.message}`;
  switch (before.running) {
    case 'run':
      return t('Run finished');
    case 'compare':
      if (!after.compare) return null;
      return after.compare.report.passed
        ? t('Compare finished: right')
        : t('Compare finished: wrong. {0}', after.compare.report.sentence);
    case 'benchmark': {
      if (!after.benchmark) return null;
      const time = formatTime(after.benchmark.report.gpuTimeNs.median);
      return t('Benchmark finished: {0} {1}', time.value, time.unit);
    }
    case 'trace':
      return after.trace && t('Trace finished: {0}', after.trace.report.sentence);
    case 'hazards':
      return after.hazards && t('Hazard check finished: {0}', after.hazards.report.sentence);
    case 'consistency':
      return after.consistency && t('Consistency check finished: {0}', after.consistency.report.sentence);
  }
}

/** A job's name as its button has it. */
export function jobWord(job: Job): string {
  return {
    run: t('Run'),
    compare: t('Compare'),
    benchmark: t('Benchmark'),
    trace: t('Trace'),
    hazards: t('Check for hazards'),
    consistency: t('Check consistency'),
  }[job];
}
