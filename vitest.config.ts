import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** What a page or a window shows may take its time on a busy machine. */
const patient = { expect: { poll: { timeout: 15_000 } } } as const;

/** What waits for a device, a browser or a window by the clock has the machine to itself: one file at a time. */
const oneAtATime = { fileParallelism: false, pool: 'forks', hookTimeout: 120_000 } as const;

/** Tests of every kernel that comes along: work for the processor alone, whose results no clock decides. */
const everyKernel = 'test/lab/{broken,compare,consistency,shaders,styles,trace}*.test.ts';

/** Files that take longest, longest first. Begun last, one of them runs on while the other cores have nothing to do. */
const longest = ['no-hazards', 'cli', 'hazards', 'fuzz', 'lower', 'coverage'].map((name) => `/${name}.test.ts`);

/** Vitest goes by what files took last time, which a fresh clone does not know. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const place = longest.findIndex((name) => moduleId.endsWith(name));
      return place < 0 ? longest.length : place;
    };
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
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
