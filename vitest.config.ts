import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/** What a page or a window shows may take its time on a busy machine. */
const patient = { expect: { poll: { timeout: 15_000 } } } as const;

/** What waits for a device, a browser or a window by the clock has the machine to itself: one file at a time. */
const oneAtATime = { fileParallelism: false, pool: 'forks', hookTimeout: 120_000 } as const;

/** Tests of every kernel that comes along: work for the processor alone, whose results no clock decides. */
const everyKernel = 'test/lab/{broken,compare,consistency,shaders,styles,trace}*.test.ts';

export default defineConfig({
  test: {
    // Vitest's own number leaves a core to itself, which of two leaves one to the tests.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    projects: [
      {
        test: {
          name: 'core',
          include: ['test/core/**/*.test.ts', 'test/cli/**/*.test.ts', 'test/extension/unit/**/*.test.ts'],
          pool: 'forks',
          testTimeout: 60_000,
        },
      },
      { test: { name: 'kernels', include: [everyKernel], pool: 'forks', testTimeout: 240_000 } },
      {
        test: {
          name: 'gpu',
          include: ['test/gpu/**/*.test.ts', 'test/lab/**/*.test.ts'],
          exclude: [everyKernel],
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
