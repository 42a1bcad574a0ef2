import type { Diagnostic } from '../core/diagnostic.js';
import { GpuFault, type GpuResult } from '../gpu/failure.js';
import type { LabFailure, Outcome } from './contract.js';

/** Carries a failure up to the job it ends; it never leaves the lab. */
export class LabFault extends Error {
  override readonly name = 'LabFault';

  constructor(readonly failure: LabFailure) {
    super(failure.message);
  }
}

/** The value of a device's answer; throws the failure where there is none. */
export function unwrap<T>(result: GpuResult<T>): T {
  if (!result.ok) throw new LabFault(result.failure);
  return result.value;
}

/** The fault of a kernel file that cannot be run: its first error in words, and all of them with their places. */
export function invalidKernel(diagnostics: readonly Diagnostic[]): LabFault {
  const errors = diagnostics.filter(({ severity }) => severity === 'error');
  const first = errors[0];
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : '';
  return new LabFault({
    kind: 'invalid-kernel',
    message: first ? `${first.message}${more}` : 'The kernel file cannot be read.',
    remedy: first?.remedy ?? null,
    diagnostics: errors,
  });
}

/** The failure an exception stands for. Anything but a fault is the lab's own mistake and says so. */
export function toFailure(error: unknown): LabFailure {
  if (error instanceof LabFault || error instanceof GpuFault) return error.failure;
  const message = error instanceof Error ? error.message : String(error);
  return {
    kind: 'internal',
    message: `Tilescope failed unexpectedly: ${message}`,
    remedy: 'Please report it with the kernel file.',
    diagnostics: [],
  };
}

/** The outcome of work that throws its failures. */
export async function outcome<T>(work: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { ok: true, value: await work() };
  } catch (error) {
    return { ok: false, failure: toFailure(error) };
  }
}

/** True for failures after which the other cases cannot be run, or would fail alike. */
export function endsJob({ kind }: LabFailure): boolean {
  return kind === 'cancelled' || kind === 'timeout' || kind === 'device-lost' || kind === 'compile-error';
}
