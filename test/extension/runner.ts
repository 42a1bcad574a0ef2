import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as vscode from 'vscode';

/** One test of the suite that runs inside the extension host. */
export interface HostTest {
  readonly name: string;
  readonly run: () => Promise<void>;
}

/** A test and its name. */
export function hostTest(name: string, run: () => Promise<void>): HostTest {
  return { name, run };
}

interface Result {
  readonly name: string;
  readonly passed: boolean;
  readonly milliseconds: number;
  readonly error: string | null;
}

const testTimeoutMs = 90_000;

/**
 * Runs the tests one after another and writes what came of them, as JSON, to the file that TILESCOPE_TEST_REPORT names,
 * else to `.tilescope-test-report.json` in the workspace's folder. Rejects when a test failed.
 */
export async function runTests(tests: readonly HostTest[]): Promise<void> {
  const results: Result[] = [];
  const report = reportPath();
  const write = (finished: boolean): void => {
    const failed = results.filter((result) => !result.passed).length;
    const text = JSON.stringify({ finished, passed: results.length - failed, failed, tests: results }, null, 2);
    writeFileSync(report, text);
  };
  for (const { name, run } of tests) {
    const startedAt = Date.now();
    const error = await outcomeOf(run);
    results.push({ name, passed: error === null, milliseconds: Date.now() - startedAt, error });
    write(false);
  }
  write(true);
  const failures = results.filter((result) => !result.passed);
  if (failures.length > 0) {
    throw new Error(failures.map((result) => `${result.name}:\n${result.error ?? ''}`).join('\n\n'));
  }
}

/** Waits until `probe` gives something other than null, undefined or false; rejects with the last state after a while. */
export async function eventually<T>(
  what: string,
  probe: () => T | PromiseLike<T>,
  timeoutMs = 10_000,
): Promise<NonNullable<Exclude<T, false>>> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const value = await probe();
    if (value !== null && value !== undefined && value !== false) return value as NonNullable<Exclude<T, false>>;
    if (Date.now() > deadline) throw new Error(`${what} did not come to be within ${timeoutMs} ms.`);
    await pause(50);
  }
}

/** Waits some milliseconds. */
export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

async function outcomeOf(run: () => Promise<void>): Promise<string | null> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`The test took longer than ${testTimeoutMs} ms.`)), testTimeoutMs);
  });
  try {
    await Promise.race([run(), timeout]);
    return null;
  } catch (error) {
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  } finally {
    clearTimeout(timer);
  }
}

function reportPath(): string {
  const named = process.env.TILESCOPE_TEST_REPORT;
  if (named !== undefined && named !== '') return named;
  const folder = vscode.workspace.workspaceFolders?.[0];
  if (folder === undefined)
    throw new Error('Name a file in TILESCOPE_TEST_REPORT, or open a folder to run the tests in.');
  return join(folder.uri.fsPath, '.tilescope-test-report.json');
}
