import { findMechanism } from '../core/attention/catalogue.js';
import { readKernel } from '../core/kernel/read.js';
import {
  schemaVersion,
  type CaseOverride,
  type ConsistencyCheck,
  type ConsistencyReport,
  type KernelSource,
  type Outcome,
  type Progress,
} from '../lab/contract.js';
import { tensorJson, type CompareRequest } from './compare.js';
import { readBuiltInKernels, readKernels } from './files.js';
import { adapterJson, adapterLine, caseLine, failureCode, failureLines, type Session } from './session.js';
import { short, table, type Cell, type Paint } from './text.js';
import { exitCodes, UsageError, type ExitCode } from './usage.js';

/** What `consistency` was asked for. */
export interface ConsistencyRequest {
  readonly kernels: readonly KernelSource[];
  readonly override: CaseOverride | null;
  readonly seed: number;
  readonly simulated: CompareRequest['simulated'];
  readonly json: boolean;
}

/** The kernels that files, folders and globs name; the built-in ones of a mechanism where its id is given. */
export function consistencyKernels(names: readonly string[]): readonly KernelSource[] {
  return names.flatMap((name) => {
    const mechanism = findMechanism(name);
    if (!mechanism) return readKernels([name]);
    const own = readBuiltInKernels().filter((kernel) => readKernel(kernel.text, kernel.name)?.mechanism === mechanism);
    if (own.length === 0) throw new UsageError(`No kernel of ${name} comes along.`);
    return own;
  });
}

/** Checks the kernels of each mechanism against each other; prints tables or JSON, and tells whether all agree. */
export async function consistencyCommand(session: Session, request: ConsistencyRequest): Promise<ExitCode> {
  let code: ExitCode = exitCodes.right;
  const results: unknown[] = [];
  for (const [mechanism, kernels] of byMechanism(request.kernels)) {
    const outcome = await checked(session, mechanism, kernels, request);
    session.progress(null);
    if (!outcome.ok) {
      const { kind, message, remedy } = outcome.failure;
      code = Math.max(code, failureCode(outcome.failure)) as ExitCode;
      results.push({ mechanism, passed: false, failure: { kind, message, remedy }, checks: [] });
      if (!request.json) {
        session.print(`${session.paint.bad('✘')} ${session.paint.strong(mechanism)}`);
        for (const line of failureLines(outcome.failure)) session.print(`  ${line}`);
      }
      if (kind === 'no-device') break;
      continue;
    }
    if (!outcome.value.passed) code = Math.max(code, exitCodes.wrong) as ExitCode;
    results.push(reportJson(outcome.value));
    if (!request.json) printReport(session, outcome.value);
  }
  const passed = code === exitCodes.right;
  if (request.json) session.print(JSON.stringify({ schemaVersion, passed, seed: request.seed, results }, null, 2));
  return code;
}

/** The kernels by the mechanism they name; those that name none are together, and the lab says what is wrong. */
function byMechanism(kernels: readonly KernelSource[]): ReadonlyMap<string, readonly KernelSource[]> {
  const groups = new Map<string, KernelSource[]>();
  for (const kernel of kernels) {
    const id = readKernel(kernel.text, kernel.name)?.mechanism?.id ?? 'without a mechanism';
    groups.set(id, [...(groups.get(id) ?? []), kernel]);
  }
  return groups;
}

function checked(
  { host, progress }: Session,
  mechanism: string,
  kernels: readonly KernelSource[],
  { override, seed, simulated }: ConsistencyRequest,
): Promise<Outcome<ConsistencyReport>> {
  const options = {
    onProgress: ({ message, fraction }: Progress) => progress({ message: `${mechanism}: ${message}`, fraction }),
  };
  return simulated
    ? host.call('consistencySimulated', { kernels, override, seed, ...simulated }, options)
    : host.call('consistency', { kernels, override, seed }, options);
}

function reportJson(report: ConsistencyReport): unknown {
  const { mechanism, kernels, passed, sentence, skipped, checks, device } = report;
  return {
    ...{ mechanism, kernels, passed, sentence, adapter: adapterJson(device), skipped },
    checks: checks.map(({ tensors, failure, ...check }) => ({
      ...check,
      failure: failure && { kind: failure.kind, message: failure.message, remedy: failure.remedy },
      tensors: tensors.map(tensorJson),
    })),
  };
}

function printReport({ print, paint }: Session, report: ConsistencyReport): void {
  print(paint.faint(`Adapter: ${adapterLine(report.device, paint)}`));
  print(paint.strong(report.mechanism));
  const header = ['', 'check', 'tensor', 'max |difference|', 'RMS ratio', 'allowed'].map((text, at): Cell => ({
    text,
    align: at > 2 ? 'right' : 'left',
    paint: paint.faint,
  }));
  print(table([header, ...report.checks.flatMap((check) => checkRows(check, paint))], '  '));
  for (const check of report.checks.filter(({ passed }) => !passed)) {
    print(`  ${paint.bad('✘')} ${paint.strong(check.title)}: ${check.sentence}`);
    print(`    ${paint.faint(caseLine(check.shape, check.options))}`);
  }
  for (const { kernel, reason } of report.skipped) print(`  ${paint.faint(`not checked: ${kernel}: ${reason}`)}`);
  const wrong = report.checks.filter(({ passed }) => !passed).length;
  // What is wrong in each check stands above.
  print(
    `  ${wrong === 0 ? paint.good(report.sentence) : paint.bad(`Inconsistent in ${wrong} of ${report.checks.length} checks.`)}`,
  );
}

function checkRows({ passed, title, tensors, failure }: ConsistencyCheck, paint: Paint): Cell[][] {
  const mark: Cell = passed ? { text: '✔', paint: paint.good } : { text: '✘', paint: paint.bad };
  if (tensors.length === 0) return [[mark, { text: title }, { text: failure?.kind ?? '-', paint: paint.bad }]];
  return tensors.map((tensor, at) => [
    at === 0 ? mark : { text: '' },
    { text: at === 0 ? title : '' },
    { text: tensor.name },
    { text: short(tensor.maxAbs), align: 'right', ...(tensor.passed ? {} : { paint: paint.bad }) },
    { text: short(tensor.rmsRatio), align: 'right' },
    { text: `${short(tensor.bound)}${tensor.tolerance.kind === 'absolute' ? ' abs' : ''}`, align: 'right' },
  ]);
}
