import { build } from 'esbuild';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/**
 * Bundles an entry of the command line into `.build`, where it finds `node_modules` and `shaders` as it does in `dist`,
 * and returns its path.
 */
export async function bundle(layer: 'cli' | 'native'): Promise<string> {
  const outfile = join(root, '.build', `${layer}.js`);
  await build({
    entryPoints: [join(root, 'src', layer, 'main.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    external: ['webgpu'],
    logLevel: 'warning',
    banner: {
      js: "import { createRequire as tilescopeRequire } from 'node:module'; const require = tilescopeRequire(import.meta.url);",
    },
  });
  return outfile;
}
