import type { BenchmarkReport, CaseVerdict, CompareReport, Progress } from '../lab/contract.js';
import type { TensorVerdict } from '../core/numerics/verdict.js';
import type { Job } from '../lab/panel.js';
import type { KernelRecord } from './record.js';
import type { Translate } from './translate.js';

const sentenceLimit = 90;

/** An error or a bound with two significant digits: `2.1e-7`, `0`. */
export function formatError(value: number): string {
  return value === 0 ? '0' : value.toExponential(1);
}

/** A duration in nanoseconds with three significant digits in the unit that suits it: `1.84 ms`. */
export function formatDuration(timeNs: number): string {
  const [divisor, unit] =
    timeNs < 1e3 ? [1, 'ns'] : timeNs < 1e6 ? [1e3, 'µs'] : timeNs < 1e9 ? [1e6, 'ms'] : [1e9, 's'];
  const value = timeNs / divisor;
  return `${value >= 1000 ? String(Math.round(value)) : String(Number(value.toPrecision(3)))} ${unit}`;
}

/** Median and spread of a measurement: half the distance from p20 to p80, in percent of the median. */
export function formatTiming(report: BenchmarkReport, t: Translate): string {
  const { median, p20, p80 } = report.gpuTimeNs;
  const percent = median > 0 ? Math.max(1, Math.round((50 * (p80 - p20)) / median)) : 0;
  const time = t('{0} ±{1} %', formatDuration(median), percent);
  return report.device.software ? t('{0} on a software adapter', time) : time;
}

/** What the lens of a running job says. */
export function runningText(job: Job, progress: Progress | null, t: Translate): string {
  const doing = {
    run: t('running…'),
    compare: t('comparing…'),
    benchmark: t('benchmarking…'),
    trace: t('tracing…'),
    hazards: t('looking for hazards…'),
    consistency: t('checking consistency…'),
  }[job];
  const fraction = progress?.fraction ?? null;
  return fraction === null ? doing : `${doing} ${Math.round(100 * fraction)} %`;
}

/** The last result in one line for the source with this hash; one of another source stands in brackets as stale. */
export function resultText(record: KernelRecord, hash: string, t: Translate): string {
  const { run, benchmark } = record;
  const failed = failedOnGpu(record);
  const compare = standingComparison(record);
  if (failed !== null) return stamp(`✗ ${shorten(failed.failure.message)}`, failed.hash === hash, t);
  const judged = compare ?? benchmark;
  if (run !== null && run.at > (judged?.at ?? 0) && (run.report.hash === hash || judged?.report.hash !== hash)) {
    const time = run.report.gpuTimeNs;
    const ran = time === null ? t('ran, not compared') : t('ran once in {0}, not compared', formatDuration(time));
    return stamp(ran, run.report.hash === hash, t);
  }
  if (compare !== null && !compare.report.passed) {
    const wrong = `✗ ${shorten(compare.report.sentence)}`;
    return stamp(withRunner(wrong, compare.report, t), compare.report.hash === hash, t);
  }
  // A time of another source than the verdict's would say that this one is as fast.
  const timed = benchmark !== null && (compare === null || benchmark.report.hash === compare.report.hash);
  const verdict = compare?.report ?? null;
  const cases = verdict?.cases ?? (timed ? [benchmark.report.verdict] : []);
  if (cases.length === 0) return t('not compared yet');
  const right = withRunner(`✓ ${rightText(cases, t)}`, verdict, t);
  const text = timed ? `${right} · ${formatTiming(benchmark.report, t)}` : right;
  return stamp(text, (verdict ?? benchmark?.report)?.hash === hash, t);
}

/** A verdict with who ran the kernel, where that was no GPU. */
function withRunner(text: string, report: CompareReport | null, t: Translate): string {
  return report?.device.host === 'simulator' ? t('{0} · on the simulator, no GPU', text) : text;
}

/** The last job's failure, unless it says nothing of the kernel alone on the GPU: the simulator's, or one of several kernels. */
function failedOnGpu({ failed }: KernelRecord): KernelRecord['failed'] {
  return failed === null || ['trace', 'hazards', 'consistency'].includes(failed.job) ? null : failed;
}

/** The last comparison, unless a benchmark of a newer source (which carries a passing one of its own) has overtaken it. */
function standingComparison({ compare, benchmark }: KernelRecord): KernelRecord['compare'] {
  if (compare === null || benchmark === null) return compare;
  const overtaken = benchmark.at > compare.at && benchmark.report.hash !== compare.report.hash;
  return overtaken ? null : compare;
}

/** The verdict alone, for the status bar: right, wrong or unknown for the source with this hash. */
export function verdictOf(record: KernelRecord, hash: string): 'right' | 'wrong' | 'stale' | 'unknown' {
  const { compare, benchmark } = record;
  const failed = failedOnGpu(record);
  if (failed?.hash === hash && failed.job !== 'run') return 'wrong';
  const benchmarked = benchmark?.report.hash === hash;
  if (compare?.report.hash === hash) return compare.report.passed ? 'right' : 'wrong';
  if (benchmarked) return 'right';
  return compare === null && benchmark === null ? 'unknown' : 'stale';
}

/** `right (max 2.1e-7 ≤ 6.0e-7)`: the tensor of the first case that came closest to its bound. */
function rightText(cases: readonly CaseVerdict[], t: Translate): string {
  const closest = (cases[0]?.tensors ?? []).map(margin).sort((a, b) => b.part - a.part)[0];
  const count = cases.length;
  const right = count > 1 ? t('right in {0} cases', count) : t('right');
  return closest === undefined ? right : `${right} (${closest.text})`;
}

function margin(tensor: TensorVerdict): { readonly part: number; readonly text: string } {
  // A tensor of tiny values passes by its absolute error though its ratio is beyond the bound.
  const byRatio = tensor.tolerance.kind === 'ratio' && (tensor.rmsRatio ?? Infinity) <= tensor.bound;
  const value = (byRatio ? tensor.rmsRatio : tensor.maxAbs) ?? 0;
  const name = byRatio ? 'RMS' : 'max';
  const within = value <= tensor.bound ? ` ≤ ${formatError(tensor.bound)}` : '';
  return { part: tensor.bound > 0 ? value / tensor.bound : 0, text: `${name} ${formatError(value)}${within}` };
}

function stamp(text: string, fresh: boolean, t: Translate): string {
  return fresh ? text : t('[{0}] stale', text);
}

function shorten(sentence: string): string {
  return sentence.length <= sentenceLimit ? sentence : `${sentence.slice(0, sentenceLimit - 1).trimEnd()}…`;
}
