/**
 * Takes pictures of the panel in its states, themes and widths into .build/screenshots, to be looked at. Arguments choose:
 *
 *   npx esbuild test/webview/screenshots.ts --bundle --platform=node --format=esm --packages=external --outfile=.build/screenshots.mjs
 *   node .build/screenshots.mjs wrong dark 1200
 *   node .build/screenshots.mjs shaders/mla/decode.wgsl dark     the schedule and the traffic of a kernel, really traced
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import type { TraceReport } from '../../src/lab/contract.js';
import type { PanelSnapshot } from '../../src/lab/panel.js';
import { idle, kept, kernel } from './harness/fixtures.js';
import { openBrowser, openPage } from './harness/browser.js';
import { states } from './harness/states.js';
import { servePage, themeNames, type ThemeName } from './harness/server.js';

const widths = [360, 700, 1200];
const folder = '.build/screenshots';

/** Arguments choose among states, themes and widths: `wrong dark 1200`. */
const wanted = process.argv.slice(2);
const chosen = <T extends string | number>(all: readonly T[]): readonly T[] => {
  const named = all.filter((item) => wanted.includes(String(item)));
  return named.length > 0 ? named : all;
};

/** The two tabs that show a trace of a kernel file, made by the built command line. */
function traced(file: string): Record<string, () => PanelSnapshot> {
  const words = execFileSync('node', ['dist/cli.js', 'trace', file, '--json'], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  const { trace } = JSON.parse(words) as { readonly trace: TraceReport };
  const name = file.replace(/^.*shaders\//, '').replaceAll(/\W+/g, '-');
  const shown = {
    ...kernel,
    uri: `file:///work/${file}`,
    name: file.replace(/^.*\//, ''),
    mechanismTitle: trace.mechanism,
  };
  const tab = (which: 'schedule' | 'traffic') => (): PanelSnapshot => ({
    ...idle,
    tab: which,
    kernel: shown,
    trace: kept(trace),
  });
  return { [`${name}-schedule`]: tab('schedule'), [`${name}-traffic`]: tab('traffic') };
}

const kernels = Object.fromEntries(
  wanted.filter((word) => word.endsWith('.wgsl')).flatMap((file) => Object.entries(traced(file))),
);
const server = await servePage();
const browser = await openBrowser();
const address = (name: string, theme: ThemeName): string =>
  name === 'caches' || name === 'stacks'
    ? server.address(states['no-kernel']!(), theme, 'tilescope-layers')
    : server.address((kernels[name] ?? states[name]!)(), theme);
const named = Object.keys(kernels);
mkdirSync(folder, { recursive: true });
for (const name of named.length > 0 ? named : chosen([...Object.keys(states), 'caches', 'stacks'])) {
  for (const theme of chosen<ThemeName>(themeNames)) {
    for (const width of chosen(widths)) {
      const { page, complaints } = await openPage(browser, address(name, theme), width, 1000);
      if (name === 'stacks') await page.getByRole('tab', { name: 'Layer stack' }).click();
      await page.evaluate(() => document.fonts.ready.then(() => undefined));
      const height = await page.evaluate(() => {
        const content = document.querySelector('.content')!;
        return Math.ceil(content.scrollHeight - content.clientHeight + window.innerHeight);
      });
      await page.setViewportSize({ width, height: Math.max(600, height) });
      await page.waitForTimeout(150);
      await page.screenshot({ path: `${folder}/${name}-${theme}-${width}.png` });
      const violations = await page.evaluate(() => window.harness.violations);
      for (const line of [...complaints, ...violations]) console.log(`${name} ${theme} ${width}: ${line}`);
      await page.context().close();
    }
  }
}
await browser.close();
await server.close();
