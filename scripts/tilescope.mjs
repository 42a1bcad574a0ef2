#!/usr/bin/env node
// The `tilescope` command. In a fresh clone it first installs and builds, on stderr; then the CLI has the process.
import { ensureBuild, ensureDependencies, root, runMain, SetupError } from './setup.mjs';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

await runMain(async () => {
  ensureDependencies();
  ensureBuild();
  const cli = join(root, 'dist/cli.js');
  if (!existsSync(cli)) throw new SetupError(`${cli} is missing. Build it:\n  cd ${root} && npm run build`);
  await import(pathToFileURL(cli).href);
  return process.exitCode;
});
