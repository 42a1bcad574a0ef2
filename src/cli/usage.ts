/** A mistake in how the command was called: reported without a stack, exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** What the process tells programs: right, a kernel is wrong, called wrongly, no device to run on. */
export const exitCodes = { right: 0, wrong: 1, usage: 2, noDevice: 3 } as const;

/** One of the exit codes. */
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];
