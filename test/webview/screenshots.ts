/**
 * Takes pictures of the panel in its states, themes and widths into .build/screenshots, to be looked at. Arguments choose:
 *
 *   npx esbuild test/webview/screenshots.ts --bundle --platform=node --format=esm --packages=external --outfile=.build/screenshots.mjs
 *   node .build/screenshots.mjs wrong dark 1200
 */
import { mkdirSync } from 'node:fs';
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

const server = await servePage();
const browser = await openBrowser();
const address = (name: string, theme: ThemeName): string =>
  name === 'caches' || name === 'stacks'
    ? server.address(states['no-kernel']!(), theme, 'tilescope-layers')
    : server.address(states[name]!(), theme);
mkdirSync(folder, { recursive: true });
for (const name of chosen([...Object.keys(states), 'caches', 'stacks'])) {
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
