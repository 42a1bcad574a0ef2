import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { readKernel } from '../../src/core/kernel/read.js';
import { frontMatterFields } from '../../src/core/kernel/schema.js';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

function markdownFiles(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return markdownFiles(path);
    return entry.name.endsWith('.md') ? [path] : [];
  });
}

const pages = [
  ...readdirSync(root).filter((name) => name.endsWith('.md')),
  ...[...markdownFiles(join(root, 'docs')), ...markdownFiles(join(root, '.github'))].map((path) =>
    relative(root, path),
  ),
];

test.each(pages)('every link of %s within the project leads somewhere', (page) => {
  const text = readFileSync(join(root, page), 'utf8');
  const targets = [...text.matchAll(/\]\((?!https?:|#)([^)#\s]+)[^)]*\)/g)].map((match) => match[1]!);
  const broken = targets.filter((target) => !existsSync(join(root, dirname(page), target)));
  expect(broken).toEqual([]);
});

test('the kernel in README.md has no findings', () => {
  const text = readFileSync(join(root, 'README.md'), 'utf8');
  const [kernel] = [...text.matchAll(/```wgsl\n(.*?)```/gs)].map((match) => match[1]!);
  expect(readKernel(kernel!, 'README.md')?.diagnostics).toEqual([]);
});

describe('docs/kernel-file.md', () => {
  const cells = readFileSync(join(root, 'docs/kernel-file.md'), 'utf8').replace(/ +/g, ' ').split('\n');

  test.each(frontMatterFields.map((field) => [field.key, field] as const))(
    'explains %s as the editor does',
    (key, { description, fallback }) => {
      expect(cells).toContain(`| \`${key}\` | ${description} | ${fallback} |`);
    },
  );
});
