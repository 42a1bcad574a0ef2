import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const root = new URL('../../../', import.meta.url);

const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');

/** Every text of a layer that is handed to `t`, in the order of its files. */
function textsOf(layer: string): string[] {
  const files = readdirSync(new URL(`src/${layer}/`, root), { recursive: true, encoding: 'utf8' });
  const sources = files.filter((name) => name.endsWith('.ts')).sort();
  return sources.flatMap((name) =>
    [
      ...read(`src/${layer}/${name.replaceAll('\\', '/')}`).matchAll(
        /\bt\(\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")/g,
      ),
    ].map((match) => (match[1] ?? match[2] ?? '').replace(/\\(['"])/g, '$1')),
  );
}

describe('what a translator gets', () => {
  it('is every text of the extension and its page (after a change: vitest -u)', async () => {
    const texts = [...new Set([...textsOf('extension'), ...textsOf('webview')])].sort();
    const bundle = Object.fromEntries(texts.map((text) => [text, text]));
    await expect(`${JSON.stringify(bundle, null, 2)}\n`).toMatchFileSnapshot('../../../l10n/bundle.l10n.json');
  });

  it('is every text of the manifest, and no other', () => {
    const named = [...read('package.json').matchAll(/"%([^%"]+)%"/g)].map((match) => match[1]!);
    const given = Object.keys(JSON.parse(read('package.nls.json')) as Record<string, string>);
    expect([...new Set(named)].sort()).toEqual(given.sort());
  });
});
