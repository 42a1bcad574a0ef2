import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { KernelSource } from '../lab/contract.js';
import { UsageError } from './usage.js';

const ignoredFolders = new Set(['node_modules', '.git', '.build', 'dist']);

/**
 * Reads the kernels that files, folders and quoted globs (`*`, `**`, `?`, `{a,b}`) name, sorted, each once.
 * One that names nothing is a usage error.
 */
export function readKernels(patterns: readonly string[]): KernelSource[] {
  const paths = new Set(patterns.flatMap((pattern) => expand(pattern)));
  return [...paths].map((path) => ({ name: path, text: readFileSync(path, 'utf8') }));
}

/** The kernels Tilescope brings along, by their path in the `shaders` folder. */
export function readBuiltInKernels(): KernelSource[] {
  const folder = builtInFolder();
  return walk(folder)
    .filter((path) => path.endsWith('.wgsl'))
    .sort()
    .map((path) => ({
      name: `shaders/${relative(folder, path).split(sep).join('/')}`,
      text: readFileSync(path, 'utf8'),
    }));
}

function builtInFolder(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  const folder = join(here, '..', 'shaders');
  if (!existsSync(folder)) throw new Error(`The built-in kernels are missing: there is no folder ${folder}.`);
  return folder;
}

function expand(pattern: string): string[] {
  if (existsSync(pattern)) {
    if (!statSync(pattern).isDirectory()) return [pattern];
    const inside = walk(pattern).filter((path) => path.endsWith('.wgsl'));
    if (inside.length === 0) throw new UsageError(`The folder ${pattern} holds no .wgsl file.`);
    return inside.sort();
  }
  if (!/[*?{]/.test(pattern)) throw new UsageError(`There is no file ${pattern}.`);
  const matches = globFiles(pattern);
  if (matches.length === 0) throw new UsageError(`No file matches '${pattern}'.`);
  return matches;
}

/** Files that match a glob. Node has one of its own only from version 22 on. */
function globFiles(pattern: string): string[] {
  const normal = pattern.split(sep).join('/').replace(/^\.\//, '');
  const fixed = /^[^*?{]*\//.exec(normal)?.[0] ?? '';
  const expression = globExpression(normal);
  return walk(fixed === '' ? '.' : fixed)
    .map((path) => path.split(sep).join('/').replace(/^\.\//, ''))
    .filter((path) => expression.test(path))
    .sort();
}

function globExpression(glob: string): RegExp {
  const body = glob.replace(/\*\*\/|\*\*|\*|\?|\{([^}]*)\}|[.+^$()|[\]\\]/g, (token: string, choices?: string) => {
    if (token === '**/') return '(?:[^/]+/)*';
    if (token === '**') return '.*';
    if (token === '*') return '[^/]*';
    if (token === '?') return '[^/]';
    if (choices === undefined) return `\\${token}`;
    const words = choices.split(',').map((choice) => choice.replace(/[.+^$()|[\]\\]/g, '\\$&').replace(/\*/g, '[^/]*'));
    return `(?:${words.join('|')})`;
  });
  return new RegExp(`^${body}$`);
}

function walk(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return ignoredFolders.has(entry.name) ? [] : walk(path);
    return entry.isFile() ? [path] : [];
  });
}
