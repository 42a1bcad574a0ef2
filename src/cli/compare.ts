import type { TensorVerdict, WorstElement } from '../core/numerics/verdict.js';
import {
  schemaVersion,
  type CaseOverride,
  type CaseVerdict,
  type CompareReport,
  type DeviceInfo,
  type KernelSource,
  type LabFailure,
  type Outcome,
  type Progress,
} from '../lab/contract.js';
import { adapterJson, adapterLine, caseLine, failureCode, failureLines, type Session } from './session.js';
import { short, table, type Cell } from './text.js';
import { exitCodes, type ExitCode } from './usage.js';

/** What `compare` was asked for. */
export interface CompareRequest {
  readonly kernels: readonly KernelSource[];
  readonly override: CaseOverride | null;
  readonly seed: number;
  /** Invocations in a subgroup of the simulated GPU; null to run on the device. */
  readonly simulated: { readonly subgroupSize: number } | null;
  readonly json: boolean;
}

const worstShown = 3;

/** Compares kernels with the reference; prints a table or JSON, and tells whether all are right. */
export async function compareCommand(session: Session, request: CompareRequest): Promise<ExitCode> {
  let code: ExitCode = exitCodes.right;
  let device: DeviceInfo | null = null;
  const results: unknown[] = [];
  for (const kernel of request.kernels) {
    const outcome = await compared(session, kernel, request);
    session.progress(null);
    if (!outcome.ok) {
      code = Math.max(code, failureCode(outcome.failure)) as ExitCode;
      results.push(failedJson(kernel.name, outcome.failure));
      if (!request.json) printFailure(session, kernel, outcome.failure);
      if (outcome.failure.kind === 'no-device') {
        session.note('Without a GPU, --device simulator compares kernels on the simulator.');
        break;
      }
      continue;
    }
    const report = outcome.value;
    if (!report.passed) code = Math.max(code, exitCodes.wrong) as ExitCode;
    results.push(...report.cases.map((verdict) => caseJson(report, verdict)));
    if (!request.json) printReport(session, report, device === null);
    device = report.device;
  }
  if (request.json) {
    const adapter = device && adapterJson(device);
    const passed = code === exitCodes.right;
    session.print(JSON.stringify({ schemaVersion, passed, seed: request.seed, adapter, results }, null, 2));
  }
  return code;
}

function compared(
  { host, progress }: Session,
  kernel: KernelSource,
  { override, seed, simulated }: CompareRequest,
): Promise<Outcome<CompareReport>> {
  const options = {
    onProgress: ({ message, fraction }: Progress) => progress({ message: `${kernel.name}: ${message}`, fraction }),
  };
  return simulated
    ? host.call('compareSimulated', { kernel, override, seed, ...simulated }, options)
    : host.call('compare', { kernel, override, seed }, options);
}

function caseJson(report: CompareReport, verdict: CaseVerdict): unknown {
  return {
    kernel: report.kernel,
    hash: report.hash,
    mechanism: report.mechanism,
    case: verdict.name,
    shape: verdict.shape,
    options: verdict.options,
    passed: verdict.passed,
    sentence: verdict.sentence,
    sampled: verdict.sampled,
    repeatable: verdict.repeatable,
    failure: verdict.failure && failureJson(verdict.failure),
    tensors: verdict.tensors.map(tensorJson),
  };
}

/** The numbers of a tensor's verdict, without pictures and rows. */
export function tensorJson(tensor: TensorVerdict): unknown {
  const { name, passed, sentence, maxAbs, rmsRatio, bound, maxUlp, timesNaive } = tensor;
  const { elements, compared, wrong, nan, infinite, unwritten, guardsTouched, firstWrong } = tensor;
  const tolerance = tensor.tolerance.kind;
  return {
    ...{ name, passed, sentence, maxAbs, rmsRatio, bound, tolerance, maxUlp, timesNaive },
    ...{ elements, compared, wrong, nan, infinite, unwritten, guardsTouched, firstWrong },
  };
}

function failureJson({ kind, message, remedy }: LabFailure): unknown {
  return { kind, message, remedy };
}

/** The JSON of a kernel that gave no result at all. */
export function failedJson(kernel: string, failure: LabFailure): unknown {
  return { kernel, case: null, passed: false, failure: failureJson(failure), tensors: [] };
}

/** A kernel that gave no result, in words, with the places of what is wrong with it. */
export function printFailure({ print, paint }: Session, kernel: KernelSource, failure: LabFailure): void {
  print(`${paint.bad('✘')} ${paint.strong(kernel.name)}`);
  for (const line of failureLines(failure)) print(`  ${line}`);
  for (const { span, message, remedy } of failure.diagnostics) {
    print(`  ${kernel.name}:${place(kernel.text, span.start)}: ${[message, remedy].filter(Boolean).join(' ')}`);
  }
}

/** Line and column of an offset, both from 1. */
export function place(text: string, offset: number): string {
  const before = text.slice(0, offset).split('\n');
  return `${before.length}:${before.at(-1)!.length + 1}`;
}

function printReport({ print, paint }: Session, report: CompareReport, first: boolean): void {
  if (first) print(paint.faint(`Adapter: ${adapterLine(report.device, paint)}`));
  print(`${paint.strong(report.kernel)}  ${report.mechanism} ${report.direction}, hash ${report.hash.slice(0, 12)}`);
  const header: Cell[] = ['', 'case', 'tensor', 'max |error|', 'RMS ratio', 'bound', '× naive', 'max ULP'].map(
    (text, i) => ({
      text,
      align: i > 2 ? 'right' : 'left',
      paint: paint.faint,
    }),
  );
  const rows = report.cases.flatMap((verdict) => caseRows(verdict, paint));
  print(table([header, ...rows], '  '));
  for (const verdict of report.cases.filter(({ passed }) => !passed)) printWrong({ print, paint }, verdict);
  const wrong = report.cases.filter(({ passed }) => !passed).length;
  // What is wrong in each case stands above.
  print(
    `  ${wrong === 0 ? paint.good(report.sentence) : paint.bad(`Wrong in ${wrong} of ${report.cases.length} cases.`)}`,
  );
}

function caseRows(verdict: CaseVerdict, paint: Session['paint']): Cell[][] {
  const mark: Cell = verdict.passed ? { text: '✔', paint: paint.good } : { text: '✘', paint: paint.bad };
  const name: Cell = { text: verdict.sampled ? `${verdict.name} (sampled rows)` : verdict.name };
  if (verdict.tensors.length === 0) return [[mark, name, { text: verdict.failure?.kind ?? '', paint: paint.bad }]];
  const right = (text: string): Cell => ({ text, align: 'right' });
  return verdict.tensors.map((tensor, index) => [
    index === 0 ? mark : { text: '' },
    index === 0 ? name : { text: '' },
    { text: tensor.name },
    tensor.passed ? right(short(tensor.maxAbs)) : { ...right(short(tensor.maxAbs)), paint: paint.bad },
    right(short(tensor.rmsRatio)),
    right(`${short(tensor.bound)}${tensor.tolerance.kind === 'absolute' ? ' abs' : ''}`),
    right(short(tensor.timesNaive)),
    right(tensor.maxUlp === null ? '-' : String(tensor.maxUlp)),
  ]);
}

/** What is wrong in a case: the sentence, and the worst elements with their places. */
export function printWrong({ print, paint }: Pick<Session, 'print' | 'paint'>, verdict: CaseVerdict): void {
  print(`  ${paint.bad('✘')} ${paint.strong(verdict.name)}: ${verdict.sentence}`);
  print(`    ${paint.faint(caseLine(verdict.shape, verdict.options))}`);
  if (verdict.failure?.remedy) print(`    ${verdict.failure.remedy}`);
  for (const tensor of verdict.tensors.filter(({ passed }) => !passed)) {
    const elements = tensor.worst.slice(0, worstShown);
    if (elements.length > 0)
      print(
        table(
          elements.map((element) => worstRow(tensor, element)),
          '      ',
        ),
      );
  }
}

function worstRow(tensor: TensorVerdict, element: WorstElement): Cell[] {
  const names = tensor.dimNames.map((name, i) => `${name} ${element.index[i] ?? '?'}`).join(', ');
  const value = element.state === 'ok' ? short(element.candidate) : element.state;
  return [
    { text: `${tensor.name}[${element.index.join(', ')}]` },
    { text: `got ${value}` },
    { text: `expected ${short(element.reference)}` },
    { text: element.error === null ? '' : `error ${short(element.error)}` },
    { text: `(${names})` },
  ];
}
