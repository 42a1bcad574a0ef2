import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    projects: [
      { test: { name: 'core', include: ['test/core/**/*.test.ts', 'test/cli/**/*.test.ts'], testTimeout: 60_000 } },
      {
        // One process with one device at a time: a software adapter has no cores to spare.
        test: {
          name: 'gpu',
          include: ['test/gpu/**/*.test.ts', 'test/lab/**/*.test.ts'],
          testTimeout: 240_000,
          hookTimeout: 120_000,
          fileParallelism: false,
          pool: 'forks',
        },
      },
    ],
  },
});
