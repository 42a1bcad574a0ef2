import { html, type TemplateResult } from 'lit';
import type { Ledger, LineTraffic, TensorTraffic } from '../../core/analysis/ledger.js';
import { formatBytes, formatFactor, joined } from '../format.js';
import { tensorHue } from '../picture/tensor-hue.js';
import { t } from '../strings.js';
import type { TrafficCell, TrafficTableSpec } from './traffic-table.js';

/** Efficiency below which a cell is marked. */
const poor = 0.5;

/** The table of tensors: what each must move, what it moves, and how well. */
export function tensorTable(ledger: Ledger, fileName: string, litVariables: ReadonlySet<string>): TrafficTableSpec {
  const most = Math.max(1, ...ledger.tensors.map(requested));
  const worst = Math.max(1, ...ledger.tensors.map((tensor) => timesCompulsory(tensor) ?? 0));
  return {
    id: 'traffic-tensors',
    title: t('Tensors'),
    fileName,
    sortedBy: 3,
    columns: [
      { title: t('Tensor'), kind: 'text', hint: t('The tensor, or the variable of a scratch buffer or uniform') },
      { title: t('Compulsory'), kind: 'number', hint: t('Bytes of the tensor once'), minor: true },
      { title: t('Read'), kind: 'number', hint: t('Bytes the kernel asks to read'), minor: true },
      { title: t('Requested'), kind: 'bar', hint: t('Bytes the kernel asks to read and write') },
      {
        title: t('Transferred'),
        kind: 'number',
        hint: t('Whole sectors of 32 bytes that its accesses touch'),
        minor: true,
      },
      { title: t('× minimum'), kind: 'bar', hint: t('Requested bytes over compulsory bytes; the bar is logarithmic') },
      { title: t('Coalesced'), kind: 'bar', hint: t('Share of the transferred bytes that was asked for') },
    ],
    rows: ledger.tensors.map((tensor) => ({
      span: null,
      lit: litVariables.has(tensor.variable),
      cells: [
        { text: nameCell(tensor), sort: tensor.name },
        bytesCell(tensor.compulsoryBytes),
        bytesCell(tensor.readBytes),
        { ...bytesCell(requested(tensor)), share: requested(tensor) / most },
        bytesCell(tensor.transferredReadBytes + tensor.transferredWrittenBytes),
        factorCell(timesCompulsory(tensor), worst),
        efficiencyCell(tensor.coalescing, tensor.role !== 'uniform'),
      ],
    })),
  };
}

/** The table of source lines: what each moves, from or to what, and how well. */
export function lineTable(ledger: Ledger, fileName: string, cursorLine: number | null): TrafficTableSpec {
  const most = Math.max(1, ...ledger.lines.map(({ requestedBytes }) => requestedBytes));
  return {
    id: 'traffic-lines',
    title: t('Source lines'),
    fileName,
    sortedBy: 4,
    columns: [
      { title: t('Line'), kind: 'number', hint: t('Line of the kernel file') },
      { title: t('Code'), kind: 'code', hint: t('The line as it stands in the file'), fill: true, minor: true },
      { title: t('Variable'), kind: 'code', hint: t('What it reads or writes') },
      { title: t('Access'), kind: 'text', hint: t('What it does, and in which memory'), minor: true },
      { title: t('Requested'), kind: 'bar', hint: t('Bytes the line asks for') },
      {
        title: t('× minimum'),
        kind: 'number',
        hint: t('Requested bytes over the compulsory bytes of the tensor'),
        minor: true,
      },
      {
        title: t('Conflicts'),
        kind: 'number',
        hint: t('Workgroup memory: cycles over those without bank conflicts'),
        minor: true,
      },
      {
        title: t('Efficiency'),
        kind: 'bar',
        hint: t(
          'Device memory: share of the sectors that was asked for. Workgroup memory: share without bank conflicts',
        ),
      },
    ],
    rows: ledger.lines.map((item) => ({
      span: item.span,
      lit: item.line === cursorLine,
      cells: [
        { text: String(item.line), sort: item.line },
        { text: item.text, sort: item.text },
        { text: variableCell(item), sort: item.variable },
        { text: accessWord(item), sort: accessWord(item) },
        { ...bytesCell(item.requestedBytes), share: item.requestedBytes / most },
        { text: formatFactor(item.timesCompulsory), sort: item.timesCompulsory },
        conflictCell(item),
        lineEfficiency(item),
      ],
    })),
  };
}

function requested(tensor: TensorTraffic): number {
  return tensor.readBytes + tensor.writtenBytes + tensor.atomicBytes;
}

function timesCompulsory(tensor: TensorTraffic): number | null {
  return tensor.compulsoryBytes > 0 ? requested(tensor) / tensor.compulsoryBytes : null;
}

function nameCell(tensor: TensorTraffic): TemplateResult {
  const role = { input: t('input'), output: t('output'), scratch: t('scratch'), uniform: t('uniform') }[tensor.role];
  return html`<span class="swatch hue-${tensorHue(tensor.name, tensor.role)}" aria-hidden="true"></span>
    <span class="code">${tensor.name}</span> <span class="muted small minor">${role}</span>`;
}

function variableCell(item: LineTraffic): TemplateResult {
  return item.space === 'workgroup'
    ? html`${item.variable}`
    : html`<span class="swatch hue-${tensorHue(item.variable)}" aria-hidden="true"></span> ${item.variable}`;
}

function accessWord({ kind, space }: LineTraffic): string {
  const verb = { read: t('read'), write: t('write'), atomic: t('atomic') }[kind];
  const memory = { storage: t('device'), uniform: t('uniform'), workgroup: t('workgroup') }[space];
  return `${verb}, ${memory}`;
}

function bytesCell(bytes: number): TrafficCell {
  return { text: bytes === 0 ? '–' : joined(formatBytes(Math.round(bytes))), sort: Math.round(bytes) };
}

function factorCell(factor: number | null, worst: number): TrafficCell {
  // One tensor of a few bytes that is read often would leave no bar for the others on a linear scale.
  const share = factor === null || worst <= 1 ? null : Math.log(Math.max(1, factor)) / Math.log(worst);
  return { text: formatFactor(factor), sort: factor, share };
}

/** `judged` is false where a low share is no fault: uniforms are read from constant caches. */
function efficiencyCell(efficiency: number | null, judged: boolean): TrafficCell {
  if (efficiency === null) return { text: '–', sort: null, share: null };
  return {
    text: `${Math.round(efficiency * 100)} %`,
    sort: efficiency,
    share: efficiency,
    bad: judged && efficiency < poor,
  };
}

/** Lanes that read the same word of workgroup memory cost nothing: there conflicts alone are waste. */
function lineEfficiency({ space, efficiency, bankConflict }: LineTraffic): TrafficCell {
  return bankConflict === null
    ? efficiencyCell(efficiency, space === 'storage')
    : efficiencyCell(1 / Math.max(1, bankConflict), true);
}

function conflictCell({ bankConflict }: LineTraffic): TrafficCell {
  if (bankConflict === null) return { text: '–', sort: null };
  return { text: formatFactor(bankConflict), sort: bankConflict, bad: bankConflict > 2 };
}
