import { defineConfig } from 'vitest/config';

/** What a page or a window shows may take its time on a busy machine. */
const patient = { expect: { poll: { timeout: 15_000 } } } as const;

/** A software GPU has no cores to spare, and a workbench none either: one file at a time, each in its own process. */
const oneAtATime = { fileParallelism: false, pool: 'forks', hookTimeout: 120_000 } as const;

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'core',
          include: ['test/core/**/*.test.ts', 'test/cli/**/*.test.ts', 'test/extension/unit/**/*.test.ts'],
          testTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'gpu',
          include: ['test/gpu/**/*.test.ts', 'test/lab/**/*.test.ts'],
          testTimeout: 240_000,
          ...oneAtATime,
        },
      },
      {
        test: {
          name: 'webview',
          include: ['test/webview/**/*.test.ts'],
          testTimeout: 120_000,
          ...oneAtATime,
          ...patient,
        },
      },
      {
        test: { name: 'e2e', include: ['test/e2e/**/*.test.ts'], testTimeout: 240_000, ...oneAtATime, ...patient },
      },
    ],
  },
});
