import { closeEditors, removeFiles } from './editor.js';
import { labTests } from './labTests.js';
import { languageTests } from './languageTests.js';
import { simulatorTests } from './simulatorTests.js';
import { runTests } from './runner.js';

/** Called by VS Code inside the extension host; resolves when every test passed. */
export async function run(): Promise<void> {
  const tests = [...languageTests, ...simulatorTests, ...labTests];
  const closing = tests.map(({ name, run: test }) => ({
    name,
    run: async () => {
      try {
        await test();
      } finally {
        await closeEditors();
      }
    },
  }));
  try {
    await runTests(closing);
  } finally {
    removeFiles();
  }
}
