import type { Diagnostic } from '../core/diagnostic.js';
import { readKernel } from '../core/kernel/read.js';
import { schemaVersion, type KernelSource } from '../lab/contract.js';
import { place } from './compare.js';
import { adapterJson, failureCode, failureLines, type Session } from './session.js';
import { exitCodes, type ExitCode } from './usage.js';

/** What `check` was asked for. */
export interface CheckRequest {
  readonly kernels: readonly KernelSource[];
  readonly json: boolean;
}

/** Prints every finding on kernel files: those of the front matter and the WGSL, and the driver's. */
export async function checkCommand(session: Session, { kernels, json }: CheckRequest): Promise<ExitCode> {
  let code: ExitCode = exitCodes.right;
  const results: unknown[] = [];
  for (const kernel of kernels) {
    const outcome = await session.host.call('check', { kernel });
    if (!outcome.ok) {
      for (const line of failureLines(outcome.failure)) session.note(`${kernel.name}: ${line}`);
      code = Math.max(code, failureCode(outcome.failure)) as ExitCode;
      results.push({ kernel: kernel.name, ok: false, failure: outcome.failure, diagnostics: [] });
      if (outcome.failure.kind === 'no-device') break;
      continue;
    }
    const diagnostics = [...ownFindings(kernel), ...outcome.value.diagnostics];
    const ok = !diagnostics.some(({ severity }) => severity === 'error');
    if (!ok) code = Math.max(code, exitCodes.wrong) as ExitCode;
    const adapter = adapterJson(outcome.value.device);
    const places = diagnostics.map((finding) => ({ ...finding, place: place(kernel.text, finding.span.start) }));
    results.push({ kernel: kernel.name, ok, diagnostics: places, adapter });
    if (!json) printFindings(session, kernel, diagnostics, ok);
  }
  if (json) session.print(JSON.stringify({ schemaVersion, results }, null, 2));
  return code;
}

function ownFindings({ name, text }: KernelSource): readonly Diagnostic[] {
  const kernel = readKernel(text, name);
  if (kernel) return kernel.diagnostics;
  const message = 'The file has no front matter: only its WGSL was checked.';
  return [{ code: 'no-front-matter', severity: 'info', span: { start: 0, end: 0 }, message, remedy: null }];
}

function printFindings(
  { print, paint }: Session,
  kernel: KernelSource,
  found: readonly Diagnostic[],
  ok: boolean,
): void {
  print(`${ok ? paint.good('✔') : paint.bad('✘')} ${paint.strong(kernel.name)}`);
  const paints = { error: paint.bad, warning: paint.warn, info: paint.faint };
  for (const { severity, span, message, remedy, code } of found) {
    const where = `${kernel.name}:${place(kernel.text, span.start)}`;
    const words = [message, remedy].filter(Boolean).join(' ');
    print(`  ${where}: ${paints[severity](severity)}: ${words} ${paint.faint(`[${code}]`)}`);
  }
}
