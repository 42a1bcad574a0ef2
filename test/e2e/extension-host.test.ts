import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Machine, root } from './workbench.js';

/** What test/extension writes: see its README. */
interface Report {
  readonly finished: boolean;
  readonly tests: readonly { readonly name: string; readonly passed: boolean; readonly error: string | null }[];
}

const reportPath = join(root, '.build/extension-tests/workbench.json');
const limitMs = 240_000;

function readReport(): Report | null {
  // The file is written anew after each test: what is read between two writes may be half of it.
  try {
    return existsSync(reportPath) ? (JSON.parse(readFileSync(reportPath, 'utf8')) as Report) : null;
  } catch {
    return null;
  }
}

/** Runs the suite inside the workbench's extension host and waits for its last report. */
async function runSuite(): Promise<Report | null> {
  mkdirSync(dirname(reportPath), { recursive: true });
  rmSync(reportPath, { force: true });
  const machine = await Machine.start({ withExtension: false, env: { TILESCOPE_TEST_REPORT: reportPath } });
  try {
    const folder = machine.makeFolder('host', {}, {});
    await machine.runInExtensionHost(folder, join(root, '.build/extension-tests/suite.cjs'));
    const end = Date.now() + limitMs;
    while (readReport()?.finished !== true && Date.now() < end) await setTimeout(500);
    return readReport();
  } finally {
    await machine.stop();
  }
}

const report = await runSuite();

test('the suite ran to its end', () => {
  expect(report).toMatchObject({ finished: true });
  expect(report?.tests).not.toHaveLength(0);
});

test.for(report?.tests ?? [])('$name', ({ passed, error }) => {
  expect(error).toBeNull();
  expect(passed).toBe(true);
});
