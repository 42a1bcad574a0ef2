import type { Diagnostic } from '../core/diagnostic.js';

/** What a device can answer instead of a result. */
export type GpuFailureKind =
  | 'no-device'
  | 'compile-error'
  | 'validation-error'
  | 'limits-exceeded'
  | 'out-of-memory'
  | 'device-lost'
  | 'timeout'
  | 'cancelled'
  | 'internal';

/** Why the device gave no result: what happened, what to do about it, and where in the file. */
export interface GpuFailure {
  readonly kind: GpuFailureKind;
  readonly message: string;
  readonly remedy: string | null;
  readonly diagnostics: readonly Diagnostic[];
}

/** A result of the device, or why there is none. What a kernel does is never an exception. */
export type GpuResult<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly failure: GpuFailure };

/** Carries a failure up to the nearest `attempt`; it never leaves the functions this layer exports. */
export class GpuFault extends Error {
  override readonly name = 'GpuFault';

  constructor(readonly failure: GpuFailure) {
    super(failure.message);
  }
}

/** A fault of the given kind, without places in the file unless some are given. */
export function fault(
  kind: GpuFailureKind,
  message: string,
  remedy: string | null,
  diagnostics: readonly Diagnostic[] = [],
): GpuFault {
  return new GpuFault({ kind, message, remedy, diagnostics });
}

/** Runs `work` and turns whatever it throws into a failure: a fault into its own, anything else into `internal`. */
export async function attempt<T>(work: () => Promise<T>): Promise<GpuResult<T>> {
  try {
    return { ok: true, value: await work() };
  } catch (error) {
    return { ok: false, failure: asFailure(error) };
  }
}

function asFailure(error: unknown): GpuFailure {
  if (error instanceof GpuFault) return error.failure;
  const message = error instanceof Error ? error.message : String(error);
  return {
    kind: 'internal',
    message: `The GPU interface failed unexpectedly: ${message}`,
    remedy: 'Run the kernel again; if it happens again, please report it with the kernel file.',
    diagnostics: [],
  };
}
