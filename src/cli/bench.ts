import {
  schemaVersion,
  type BenchmarkReport,
  type CaseOverride,
  type DeviceInfo,
  type KernelSource,
} from '../lab/contract.js';
import { failedJson, printFailure } from './compare.js';
import { adapterJson, adapterLine, caseLine, failureCode, type Session } from './session.js';
import { duration, short, table, type Cell } from './text.js';
import { exitCodes, type ExitCode } from './usage.js';

/** What `bench` was asked for. */
export interface BenchRequest {
  readonly kernels: readonly KernelSource[];
  readonly override: CaseOverride | null;
  readonly seed: number;
  readonly json: boolean;
}

/** Measures kernels that are right; one that is wrong has no speed and makes the command fail. */
export async function benchCommand(session: Session, request: BenchRequest): Promise<ExitCode> {
  let code: ExitCode = exitCodes.right;
  let device: DeviceInfo | null = null;
  const results: unknown[] = [];
  for (const kernel of request.kernels) {
    const outcome = await session.host.call(
      'benchmark',
      { kernel, override: request.override, seed: request.seed },
      {
        onProgress: ({ message, fraction }) => session.progress({ message: `${kernel.name}: ${message}`, fraction }),
      },
    );
    session.progress(null);
    if (!outcome.ok) {
      code = Math.max(code, failureCode(outcome.failure)) as ExitCode;
      results.push(failedJson(kernel.name, outcome.failure));
      if (!request.json) printFailure(session, kernel, outcome.failure);
      if (outcome.failure.kind === 'no-device') break;
      continue;
    }
    results.push(benchJson(outcome.value));
    device = outcome.value.device;
    if (!request.json) printBenchmark(session, outcome.value);
  }
  if (request.json) session.print(JSON.stringify({ schemaVersion, results }, null, 2));
  else if (device?.software) {
    session.print(session.paint.warn('Software adapter: these are the speeds of a CPU, no headline for a GPU.'));
  }
  return code;
}

function benchJson(report: BenchmarkReport): unknown {
  const { kernel, hash, mechanism, direction, shape, options, gpuTimeNs, flops, compulsoryBytes } = report;
  const { clock, resolutionNs, runsPerSample, warmupSamples, settled, passes } = report;
  const adapter = adapterJson(report.device);
  return {
    ...{ kernel, hash, mechanism, direction, shape, options, gpuTimeNs, flops, compulsoryBytes, adapter },
    ...{ clock, resolutionNs, runsPerSample, warmupSamples, settled, passes },
  };
}

function printBenchmark({ print, paint }: Session, report: BenchmarkReport): void {
  const { median, p20, p80, samples } = report.gpuTimeNs;
  // Operations and bytes per nanosecond are billions of them per second.
  const rate = (amount: number): string => short(amount / median);
  const rows: [string, string][] = [
    [
      'time',
      `${paint.strong(duration(median))}  (p20 ${duration(p20)}, p80 ${duration(p80)}, ${samples.length} samples)`,
    ],
    ['rate', `${rate(report.flops)} GFLOP/s · ${rate(report.compulsoryBytes)} GB/s of compulsory bytes`],
    ['work', `${report.flops.toExponential(3)} floating-point operations · ${report.compulsoryBytes} compulsory bytes`],
    ...passRows(report),
    ['case', caseLine(report.shape, report.options)],
    ['clock', clockLine(report)],
    ['verdict', report.verdict.sentence],
    ['adapter', adapterLine(report.device, paint)],
  ];
  print(`${paint.good('✔')} ${paint.strong(report.kernel)}  ${report.mechanism} ${report.direction}`);
  print(
    table(
      rows.map(([name, text]): Cell[] => [{ text: name, paint: paint.faint }, { text }]),
      '  ',
    ),
  );
}

function passRows({ passes }: BenchmarkReport): [string, string][] {
  if (passes === null || passes.length < 2) return [];
  return [['passes', passes.map(({ entry, medianNs }) => `${entry} ${duration(medianNs)}`).join(' · ')]];
}

function clockLine({ clock, resolutionNs, runsPerSample, warmupSamples, settled }: BenchmarkReport): string {
  const source = clock === 'timestamps' ? 'GPU timestamps' : 'wall clock over batches';
  const warmup = settled ? `settled after ${warmupSamples} warm-up samples` : 'did not settle: take it with care';
  return `${source}, step ${duration(resolutionNs)}, ${runsPerSample} runs a sample, ${warmup}`;
}
