import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './workbench.js';

/**
 * A built-in kernel at a shape and with cases small enough for a software GPU: only its front matter differs.
 * `frontMatter` holds the lines of the keys to replace or add, e.g. `shape: { heads: 2 }`.
 */
export function smallKernel(path: string, frontMatter: readonly string[]): string {
  const text = readFileSync(join(root, 'shaders', path), 'utf8');
  const [head, rest] = [text.slice(0, text.indexOf('---*/')), text.slice(text.indexOf('---*/'))];
  const replaced = new Set(frontMatter.map((line) => line.slice(0, line.indexOf(':'))));
  const kept = head.split('\n').filter((line) => !replaced.has(line.slice(0, line.indexOf(':'))));
  return [...kept.filter((line) => line !== ''), ...frontMatter, ''].join('\n') + rest;
}

/** `text` with the only occurrence of `search` replaced: it fails where the kernel has changed under the test. */
export function onlyOccurrence(text: string, search: string): string {
  const count = text.split(search).length - 1;
  if (count !== 1) throw new Error(`"${search}" stands ${count} times in the kernel; the test needs it once.`);
  return search;
}
