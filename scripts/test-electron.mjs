// Runs the extension-host suite in a desktop VS Code, which it downloads. `npm test` runs the same suite in the browser
// workbench instead, for which npm and apt suffice.
//
//   node scripts/test-electron.mjs             the newest VS Code
//   node scripts/test-electron.mjs 1.90.0      that one
//
// Without a display: xvfb-run -a node scripts/test-electron.mjs
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ensureBuild, ensureDependencies, root, runMain, say, SetupError } from './setup.mjs';

await runMain(async () => {
  ensureDependencies();
  ensureBuild();
  const { downloadAndUnzipVSCode, runTests } = await import('@vscode/test-electron');
  const version = process.argv[2] ?? 'stable';
  let vscodeExecutablePath;
  try {
    vscodeExecutablePath = await downloadAndUnzipVSCode({ version, cachePath: join(root, '.tools/vscode') });
  } catch (error) {
    throw new SetupError(
      `VS Code ${version} could not be downloaded (${error.message}). The same suite without a download:\n  npm test -- e2e`,
    );
  }
  const report = join(root, '.build/extension-tests/electron.json');
  mkdirSync(join(root, '.build/extension-tests'), { recursive: true });
  rmSync(report, { force: true });
  const gpuFlags = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'];
  const code = await runTests({
    vscodeExecutablePath,
    extensionDevelopmentPath: root,
    extensionTestsPath: join(root, '.build/extension-tests/suite.cjs'),
    extensionTestsEnv: { TILESCOPE_TEST_REPORT: report },
    launchArgs: [join(root, 'shaders'), '--disable-extensions', '--disable-workspace-trust', ...gpuFlags],
  }).catch((error) => {
    say(error.message);
    return 1;
  });
  if (existsSync(report)) console.log(readFileSync(report, 'utf8'));
  return code;
});
