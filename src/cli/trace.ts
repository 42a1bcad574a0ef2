import type { Coverage } from '../core/analysis/coverage.js';
import type { Ledger, LineTraffic, TensorTraffic } from '../core/analysis/ledger.js';
import { readKernel } from '../core/kernel/read.js';
import {
  schemaVersion,
  type CaseOverride,
  type KernelSource,
  type TraceReport,
  type TraceRequest,
} from '../lab/contract.js';
import type { NamedWorkgroup } from './arguments.js';
import { place, printFailure } from './compare.js';
import { caseLine, failureCode, type Session } from './session.js';
import { bytesText, count, percent, short, table, type Cell, type Paint } from './text.js';
import { exitCodes, UsageError, type ExitCode } from './usage.js';

/** What `trace` was asked for. */
export interface TraceCommand {
  readonly kernel: KernelSource;
  readonly override: CaseOverride | null;
  readonly workgroups: 'sampled' | 'all' | readonly NamedWorkgroup[];
  readonly subgroupSize: number;
  readonly json: boolean;
}

const shownLines = 20;

/** Simulates a kernel; prints where its tiles are and what moves, as tables or as the whole report in JSON. */
export async function traceCommand(session: Session, command: TraceCommand): Promise<ExitCode> {
  const { kernel, override, subgroupSize, json } = command;
  const request: TraceRequest = { workgroups: workgroupsOf(command), subgroupSize, scaling: true };
  const outcome = await session.host.call(
    'trace',
    { kernel, override, request },
    { onProgress: ({ message, fraction }) => session.progress({ message: `${kernel.name}: ${message}`, fraction }) },
  );
  session.progress(null);
  if (!outcome.ok) {
    const { kind, message, remedy, diagnostics } = outcome.failure;
    const failure = { kind, message, remedy, diagnostics };
    if (json) session.print(JSON.stringify({ schemaVersion, trace: null, failure }, null, 2));
    else printFailure(session, kernel, outcome.failure);
    return failureCode(outcome.failure);
  }
  if (json) session.print(JSON.stringify({ schemaVersion, trace: outcome.value, failure: null }));
  else printTrace(session, kernel, outcome.value);
  return exitCodes.right;
}

/** The named workgroups by the index of their pass: the last one that dispatches the entry point; without one the last. */
function workgroupsOf({ kernel: { name, text }, workgroups }: TraceCommand): TraceRequest['workgroups'] {
  if (typeof workgroups === 'string') return workgroups;
  const passes = readKernel(text, name)?.passes ?? [];
  return workgroups.map(({ entry, workgroup }) => {
    const pass = entry === null ? passes.length - 1 : passes.findLastIndex((each) => each.entry === entry);
    if (pass >= 0) return { pass, workgroup };
    const known = passes.map((each) => each.entry).join(', ');
    throw new UsageError(`--workgroups: ${name} has no pass "${entry ?? ''}". It has ${known || 'none'}.`);
  });
}

function printTrace(session: Session, kernel: KernelSource, report: TraceReport): void {
  const { print, paint } = session;
  const { ledger, coverage, schedule } = report;
  print(`${paint.strong(report.kernel)}  ${report.mechanism} ${report.direction}, hash ${report.hash.slice(0, 12)}`);
  print(`  ${caseLine(report.shape, report.options)} · subgroups of ${report.subgroupSize}`);
  print(`  ${report.sentence}`);
  print('');
  print(`  ${schedule.sentence}`);
  if (coverage !== null) {
    const { missed, doubled } = coverage.totals;
    print(`  ${missed + doubled > 0 ? paint.bad(coverage.sentence) : coverage.sentence}`);
    print(pairTable(coverage, paint));
  }
  print('');
  print(`  ${ledger.sentence}`);
  print(tensorTable(ledger, paint));
  print('');
  print(lineTable(ledger, paint));
  const { intensity } = ledger.totals;
  print('');
  print(
    `  FLOP per byte: ${short(intensity.compulsory)} at the minimum · ${short(intensity.requested)} requested · ` +
      `${short(intensity.transferred)} transferred · ${short(intensity.workgroup)} from workgroup memory`,
  );
  if (ledger.scaling !== null) print(`  ${scalingLine(ledger.scaling)}`);
  for (const { severity, message, remedy, span } of ledger.findings) {
    const where = span === null ? kernel.name : `${kernel.name}:${place(kernel.text, span.start)}`;
    const word = severity === 'warning' ? paint.warn('warning') : paint.faint('info');
    print(`  ${where}: ${word}: ${message} ${remedy}`);
  }
}

function pairTable({ totals }: Coverage, paint: Paint): string {
  const names = ['required', 'once', 'throughState', 'doubled', 'missed', 'wasted'] as const;
  const titles = { ...Object.fromEntries(names.map((name) => [name, name])), throughState: 'through state' };
  const header = names.map((name): Cell => ({
    text: (titles as Record<string, string>)[name]!,
    align: 'right',
    paint: paint.faint,
  }));
  const wrong = (name: (typeof names)[number]): boolean =>
    (name === 'doubled' || name === 'missed') && totals[name] > 0;
  const row = names.map((name): Cell => {
    const cell: Cell = { text: count(totals[name]), align: 'right' };
    return wrong(name) ? { ...cell, paint: paint.bad } : cell;
  });
  return table(
    [
      [{ text: 'pairs', paint: paint.faint }, ...header],
      [{ text: '' }, ...row],
    ],
    '  ',
  );
}

function tensorTable({ tensors }: Ledger, paint: Paint): string {
  const titles = ['tensor', 'role', 'minimum', 'read', 'written', 'transferred', '× minimum', 'coalesced', 're-read'];
  return table([headerOf(titles, 2, paint), ...tensors.map(tensorRow)], '  ');
}

function tensorRow(tensor: TensorTraffic): Cell[] {
  const requested = tensor.readBytes + tensor.writtenBytes + tensor.atomicBytes;
  const minimum = tensor.compulsoryBytes;
  const numbers = [
    minimum > 0 ? bytesText(minimum) : '-',
    bytesText(tensor.readBytes),
    bytesText(tensor.writtenBytes + tensor.atomicBytes),
    bytesText(tensor.transferredReadBytes + tensor.transferredWrittenBytes),
    minimum > 0 ? short(requested / minimum) : '-',
    percent(tensor.coalescing),
    short(tensor.rereadFactor),
  ];
  return [{ text: tensor.name }, { text: tensor.role }, ...numbers.map((text): Cell => ({ text, align: 'right' }))];
}

/** The lines that move the most, device memory and workgroup memory together. */
function lineTable({ lines }: Ledger, paint: Paint): string {
  const titles = ['line', 'variable', 'access', 'bytes', '× minimum', 'efficiency', 'conflicts'];
  const sorted = [...lines].sort((a, b) => b.requestedBytes - a.requestedBytes);
  const rows = sorted.slice(0, shownLines).map((line) => lineRow(line, paint));
  const header = [...headerOf(titles, 3, paint), { text: 'code', paint: paint.faint }];
  const rest = sorted.length - rows.length;
  const text = table([header, ...rows], '  ');
  return rest > 0 ? `${text}\n  ${paint.faint(`and ${rest} more places`)}` : text;
}

function lineRow(line: LineTraffic, paint: Paint): Cell[] {
  const numbers = [
    bytesText(line.requestedBytes),
    short(line.timesCompulsory),
    percent(line.efficiency),
    line.bankConflict === null ? '-' : `${short(line.bankConflict)}×`,
  ];
  return [
    { text: String(line.line) },
    { text: line.variable },
    { text: `${line.space} ${line.kind}` },
    ...numbers.map((text): Cell => ({ text, align: 'right' })),
    { text: line.text.length > 60 ? `${line.text.slice(0, 59)}…` : line.text, paint: paint.faint },
  ];
}

function headerOf(titles: readonly string[], firstNumber: number, paint: Paint): Cell[] {
  return titles.map((text, at) => ({ text, align: at < firstNumber ? 'left' : 'right', paint: paint.faint }));
}

function scalingLine({ dimension, points, exponent }: NonNullable<Ledger['scaling']>): string {
  const sizes = points.map(({ size, requestedBytes }) => `${size}: ${bytesText(requestedBytes)}`).join(' · ');
  return `Requested bytes by ${dimension}: ${sizes}; they grow with its power ${short(exponent)}.`;
}
