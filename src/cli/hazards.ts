import type { Hazard } from '../core/analysis/hazard.js';
import { schemaVersion, type CaseOverride, type HazardReport, type KernelSource } from '../lab/contract.js';
import { failedJson, place, printFailure } from './compare.js';
import { failureCode, type Session } from './session.js';
import { exitCodes, type ExitCode } from './usage.js';

/** What `hazards` was asked for. */
export interface HazardCommand {
  readonly kernels: readonly KernelSource[];
  readonly override: CaseOverride | null;
  readonly json: boolean;
}

/** Simulates kernels and lists their hazards; an error or a warning among them makes the command fail. */
export async function hazardsCommand(session: Session, command: HazardCommand): Promise<ExitCode> {
  let code: ExitCode = exitCodes.right;
  const results: unknown[] = [];
  for (const kernel of command.kernels) {
    const outcome = await session.host.call(
      'hazards',
      { kernel, override: command.override },
      { onProgress: ({ message, fraction }) => session.progress({ message: `${kernel.name}: ${message}`, fraction }) },
    );
    session.progress(null);
    if (!outcome.ok) {
      code = Math.max(code, failureCode(outcome.failure)) as ExitCode;
      results.push(failedJson(kernel.name, outcome.failure));
      if (!command.json) printFailure(session, kernel, outcome.failure);
      continue;
    }
    const report = outcome.value;
    if (report.hazards.some(counts)) code = Math.max(code, exitCodes.wrong) as ExitCode;
    results.push(reportJson(kernel, report));
    if (!command.json) printHazards(session, kernel, report);
  }
  if (command.json) {
    session.print(JSON.stringify({ schemaVersion, passed: code === exitCodes.right, results }, null, 2));
  }
  return code;
}

/** A note alone is no reason to fail. */
function counts({ severity }: Hazard): boolean {
  return severity !== 'info';
}

function reportJson(kernel: KernelSource, report: HazardReport): unknown {
  const { hash, cases, subgroupSizes, sentence, hazards } = report;
  return {
    ...{ kernel: report.kernel, hash, passed: !hazards.some(counts), sentence, cases, subgroupSizes },
    hazards: hazards.map((hazard) => ({ ...hazard, place: place(kernel.text, hazard.span.start) })),
  };
}

function printHazards({ print, paint }: Session, kernel: KernelSource, report: HazardReport): void {
  const failed = report.hazards.some(counts);
  print(`${failed ? paint.bad('✘') : paint.good('✔')} ${paint.strong(kernel.name)}  ${report.sentence}`);
  const paints = { error: paint.bad, warning: paint.warn, info: paint.faint };
  for (const { severity, span, message, remedy, code, other, fix } of report.hazards) {
    const where = `${kernel.name}:${place(kernel.text, span.start)}`;
    const words = [message, remedy].filter(Boolean).join(' ');
    print(`  ${where}: ${paints[severity](severity)}: ${words} ${paint.faint(`[${code}]`)}`);
    if (other !== null) print(`    ${kernel.name}:${place(kernel.text, other.span.start)}: ${other.label}`);
    if (fix !== null) print(`    ${paint.faint(`fix: ${fix.title}`)}`);
  }
}
