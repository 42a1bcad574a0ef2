import { mechanisms } from '../core/attention/catalogue.js';
import type { Direction, Mechanism } from '../core/attention/mechanism.js';
import type { Kernel } from '../core/kernel/model.js';
import { readKernel } from '../core/kernel/read.js';
import { schemaVersion } from '../lab/contract.js';
import { readBuiltInKernels } from './files.js';
import { table, type Cell, type Paint } from './text.js';

/** How much is listed, and for whom. */
export interface ListRequest {
  /** The kernels of each mechanism, instead of a line for each mechanism. */
  readonly kernels: boolean;
  readonly json: boolean;
}

interface ListedKernel {
  readonly name: string;
  readonly direction: Direction;
  /** Formats in which its tensors are stored: f32, f16. */
  readonly formats: readonly string[];
  readonly cases: number;
  readonly passes: readonly string[];
}

interface Listed {
  readonly mechanism: Mechanism;
  readonly kernels: readonly ListedKernel[];
}

const directions = ['forward', 'backward', 'decode'] as const;

/** Characters of a line of golden operations; the table then fits 120 columns. */
const goldenWidth = 14;

/** Every mechanism of the catalogue with the forms it has: its references, and the kernels that come along. */
export function listText(paint: Paint, { kernels, json }: ListRequest): string {
  const read = readBuiltInKernels().flatMap(({ name, text }) => {
    const kernel = readKernel(text, name);
    return kernel ? [{ name, kernel }] : [];
  });
  const listed = mechanisms.map((mechanism): Listed => ({
    mechanism,
    kernels: read.filter(({ kernel }) => kernel.mechanism?.id === mechanism.id).map(listedKernel),
  }));
  if (json) return JSON.stringify({ schemaVersion, mechanisms: listed.map(mechanismJson) }, null, 2);
  return kernels ? listed.map((each) => kernelBlock(each, paint)).join('\n\n') : formTable(listed, paint);
}

function listedKernel({ name, kernel }: { readonly name: string; readonly kernel: Kernel }): ListedKernel {
  const formats = [...kernel.uses.values()].flatMap((use) => (use.kind === 'tensor' ? [use.format] : []));
  return {
    name,
    direction: kernel.computation?.direction ?? 'forward',
    formats: [...new Set(formats)].sort().reverse(),
    cases: kernel.cases.length,
    passes: kernel.passes.map(({ entry }) => entry),
  };
}

function mechanismJson({ mechanism, kernels }: Listed): unknown {
  const { id, title, summary, computations, golden } = mechanism;
  const references = computations.map(({ direction }) => direction);
  return { id, title, summary, references, golden: Object.keys(golden), kernels };
}

/** A line for each mechanism: in which direction it has a reference, and kernels with which storage. */
function formTable(listed: readonly Listed[], paint: Paint): string {
  const head = ['mechanism', '', ...directions, 'kernels', 'golden'];
  const header = head.map((text, at): Cell => ({
    text,
    align: at === 5 ? 'right' : 'left',
    paint: paint.faint,
  }));
  const rows = listed.flatMap((each) => formRows(each, paint));
  const legend = [
    'f32, f16: how the tensors of the kernels there are stored. reference: float64 mathematics, no kernel yet.',
    'golden: operations of golden vectors. list --kernels names the kernels and their cases.',
  ];
  return [table([header, ...rows], ''), '', ...legend.map((line) => paint.faint(line))].join('\n');
}

function formRows({ mechanism, kernels }: Listed, paint: Paint): Cell[][] {
  const { id, title, golden } = mechanism;
  const [first = '', ...more] = wrapped(Object.keys(golden), goldenWidth);
  const row: Cell[] = [
    { text: id, paint: paint.strong },
    { text: title },
    ...directions.map((direction) => formCell(mechanism, kernels, direction, paint)),
    { text: String(kernels.length), align: 'right' },
    { text: first === '' ? '-' : first },
  ];
  return [row, ...more.map((text): Cell[] => [...row.slice(0, -1).map((): Cell => ({ text: '' })), { text }])];
}

function formCell(
  { computations }: Mechanism,
  kernels: readonly ListedKernel[],
  direction: Direction,
  paint: Paint,
): Cell {
  const own = kernels.filter((kernel) => kernel.direction === direction);
  const formats = ['f32', 'f16'].filter((format) => own.some((kernel) => storageOf(kernel) === format));
  if (formats.length > 0) return { text: formats.join(' '), paint: paint.good };
  const known = computations.some((computation) => computation.direction === direction);
  return known ? { text: 'reference' } : { text: '-', paint: paint.faint };
}

/** f16 where any tensor is stored so. */
function storageOf({ formats }: ListedKernel): string {
  return formats.includes('f16') ? 'f16' : 'f32';
}

/** Words with commas between them, in lines of at most so many characters. */
function wrapped(words: readonly string[], width: number): string[] {
  const lines: string[] = [];
  for (const [at, word] of words.entries()) {
    const text = at < words.length - 1 ? `${word},` : word;
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + text.length <= width) lines[lines.length - 1] = `${last} ${text}`;
    else lines.push(text);
  }
  return lines;
}

function kernelBlock({ mechanism, kernels }: Listed, paint: Paint): string {
  const { id, title, summary, computations } = mechanism;
  const references = computations.map(({ direction }) => direction).join(', ');
  const head = `${paint.strong(id)}  ${title}: ${summary}\n  ${paint.faint(`reference: ${references}`)}`;
  const rows = kernels.map(({ name, direction, formats, passes, cases }): Cell[] => [
    { text: name },
    { text: direction },
    { text: formats.join(', ') },
    { text: `${cases} cases`, align: 'right' },
    { text: passes.join(' → ') },
  ]);
  return rows.length > 0 ? `${head}\n${table(rows, '  ')}` : `${head}\n  no kernels yet`;
}
