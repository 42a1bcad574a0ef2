import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  compareWithGolden,
  goldenAgreement,
  goldenOf,
  type GoldenCase,
  type GoldenEntry,
} from '../core/attention/golden.js';
import { toBase64 } from '../core/numerics/base64.js';
import { readSafetensors, type StoredTensor } from '../core/numerics/safetensors.js';
import { schemaVersion, type CaseVerdict, type KernelSource, type LabFailure, type Outcome } from '../lab/contract.js';
import { readBuiltInKernels } from './files.js';
import { canTake, readCandidate, type Candidate } from './goldenFit.js';
import { failureLines, type Session } from './session.js';
import { short, table, type Cell } from './text.js';
import { exitCodes, UsageError, type ExitCode } from './usage.js';

/** What `golden` was asked for. */
export interface GoldenRequest {
  readonly folder: string;
  readonly json: boolean;
}

/** One computation checked against one golden case. */
interface GoldenLine {
  readonly case: string;
  /** `reference`, or the name of a built-in kernel. */
  readonly by: string;
  readonly direction: string;
  readonly passed: boolean;
  readonly sentence: string;
}

const directions = ['forward', 'backward', 'decode'] as const;

/** Runs every golden case the catalogue knows through its reference and through the built-in kernels that can take it. */
export async function goldenCommand(session: Session, { folder, json }: GoldenRequest): Promise<ExitCode> {
  const entries = readIndex(folder);
  const candidates = readBuiltInKernels().flatMap((source) => readCandidate(source) ?? []);
  const lines: GoldenLine[] = [];
  const unknown = new Map<string, number>();
  let noDevice: LabFailure | null = null;
  for (const [index, entry] of entries.entries()) {
    session.progress({ message: entry.case, fraction: index / entries.length });
    const tensors = readTensors(folder, entry);
    const cases = directions.flatMap((direction) => goldenOf(entry, tensors, direction) ?? []);
    if (cases.length === 0) unknown.set(entry.op, (unknown.get(entry.op) ?? 0) + 1);
    const own: GoldenLine[] = cases.map(referenceLine);
    for (const golden of cases) {
      for (const candidate of candidates.filter((one) => canTake(one, golden))) {
        if (noDevice) break;
        const outcome = await runKernel(session, candidate.source, golden);
        if (!outcome.ok && outcome.failure.kind === 'no-device') noDevice = outcome.failure;
        else own.push(kernelLine(golden, candidate, outcome));
      }
    }
    lines.push(...own);
    if (!json && own.length > 0) printCase(session, entry.case, own);
  }
  session.progress(null);
  const failed = lines.filter(({ passed }) => !passed).length;
  if (json) session.print(totalsJson(lines, unknown));
  else printTotals(session, lines, unknown);
  for (const line of noDevice ? failureLines(noDevice) : []) session.note(line);
  if (failed > 0) return exitCodes.wrong;
  return noDevice ? exitCodes.noDevice : exitCodes.right;
}

function readIndex(folder: string): readonly GoldenEntry[] {
  const path = join(folder, 'index.json');
  if (!existsSync(path)) throw new UsageError(`${folder} is no golden folder: it has no index.json.`);
  let index: unknown;
  try {
    index = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new UsageError(`${path} is no JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (typeof index !== 'object' || index === null || !('cases' in index) || !Array.isArray(index.cases)) {
    throw new UsageError(`${path} lists no cases.`);
  }
  return index.cases as readonly GoldenEntry[];
}

function readTensors(folder: string, { file }: GoldenEntry): ReadonlyMap<string, StoredTensor> {
  const path = join(folder, file);
  if (!existsSync(path)) throw new UsageError(`index.json lists ${file}, but there is no such file in ${folder}.`);
  const bytes = new Uint8Array(readFileSync(path));
  const result = readSafetensors(bytes.buffer);
  if (!result.ok) throw new UsageError(`${path}: ${result.message}`);
  return result.tensors;
}

function referenceLine(golden: GoldenCase): GoldenLine {
  const worst = compareWithGolden(golden).reduce((a, b) => (b.relative > a.relative ? b : a));
  const passed = worst.relative <= goldenAgreement;
  const sentence = `${worst.tensor} differs by ${short(worst.relative)} of its RMS (at most ${short(goldenAgreement)})`;
  return { case: golden.name, by: 'reference', direction: golden.direction, passed, sentence };
}

function runKernel(session: Session, kernel: KernelSource, golden: GoldenCase): Promise<Outcome<CaseVerdict>> {
  const { name, shape, options } = golden;
  const encode = (values: Readonly<Record<string, Float32Array | Float64Array>>): Record<string, string> =>
    Object.fromEntries(
      Object.entries(values).map(([tensor, { buffer, byteOffset, byteLength }]) => [
        tensor,
        toBase64(new Uint8Array(buffer, byteOffset, byteLength)),
      ]),
    );
  return session.host.call('verify', {
    kernel,
    theCase: { name, shape, options },
    inputs: encode(golden.inputs),
    expected: encode(golden.expected),
  });
}

function kernelLine(golden: GoldenCase, { source }: Candidate, outcome: Outcome<CaseVerdict>): GoldenLine {
  const { name, direction } = golden;
  return outcome.ok
    ? { case: name, by: source.name, direction, passed: outcome.value.passed, sentence: outcome.value.sentence }
    : { case: name, by: source.name, direction, passed: false, sentence: failureLines(outcome.failure).join(' ') };
}

function printCase({ print, paint }: Session, name: string, lines: readonly GoldenLine[]): void {
  const by = lines.map((line) => {
    const label = line.by === 'reference' ? `reference ${line.direction}` : line.by.replace(/^shaders\/|\.wgsl$/g, '');
    return line.passed ? paint.good(`✔ ${label}`) : paint.bad(`✘ ${label}`);
  });
  print(`${paint.strong(name)}  ${by.join('  ')}`);
  for (const line of lines.filter(({ passed }) => !passed)) print(`  ${line.by}: ${line.sentence}`);
}

function totals(lines: readonly GoldenLine[]): { by: string; passed: number; failed: number }[] {
  const names = [...new Set(lines.map(({ by }) => by))];
  return names.map((by) => {
    const own = lines.filter((line) => line.by === by);
    const passed = own.filter((line) => line.passed).length;
    return { by, passed, failed: own.length - passed };
  });
}

function printTotals(
  { print, paint }: Session,
  lines: readonly GoldenLine[],
  unknown: ReadonlyMap<string, number>,
): void {
  const rows = totals(lines).map(({ by, passed, failed }): Cell[] => [
    { text: by },
    { text: `${passed} right`, align: 'right' },
    { text: `${failed} wrong`, align: 'right', ...(failed > 0 ? { paint: paint.bad } : {}) },
  ]);
  print(`\n${table(rows, '')}`);
  if (unknown.size === 0) return;
  const cases = [...unknown.values()].reduce((sum, count) => sum + count, 0);
  const names = [...unknown].map(([op, count]) => `${op} ${count}`).join(', ');
  print(`not built yet: ${cases} cases (${names})`);
}

function totalsJson(lines: readonly GoldenLine[], unknown: ReadonlyMap<string, number>): string {
  const notBuiltYet = Object.fromEntries(unknown);
  return JSON.stringify({ schemaVersion, results: lines, totals: totals(lines), notBuiltYet }, null, 2);
}
