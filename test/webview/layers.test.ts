import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { last, saved, useLabPages } from './harness/lab-page.js';

const { open } = useLabPages();

const openCaches = (): Promise<Page> => open('no-kernel', 1200, 'dark', 'tilescope-layers');

/** What stands at the right of each mechanism: bytes of a token, and how often it is kept. */
function rows(page: Page): Promise<string[]> {
  return page.locator('.kv-row').evaluateAll((all) =>
    all.map((row) =>
      ['.kv-name', '.kv-bytes', '.kv-kept']
        .map((part) => row.querySelector(part)?.textContent ?? '')
        .join(' ')
        .trim(),
    ),
  );
}

/** Bars of the first picture with the number of their parts, and of those that a device before has as well. */
function bars(page: Page, row: number): Promise<(readonly [number, number])[]> {
  return page
    .locator('.kv-row')
    .nth(row)
    .locator('.kv-bar')
    .evaluateAll((all) =>
      all.map(
        (bar) => [bar.querySelectorAll('.kv-part').length, bar.querySelectorAll('.kv-part.kv-copy').length] as const,
      ),
    );
}

describe('the page of caches', () => {
  it('shows what each device keeps of a token, as table 26 of arXiv:2505.21487 has it', async () => {
    const page = await openCaches();
    expect(await rows(page)).toEqual([
      'MHA 8,192 B',
      'GQA-8 2,048 B',
      'MQA 512 B kept 2 ×',
      'GTA-8 1,152 B',
      'MLA 1,152 B kept 2 ×',
      'GLA-2 640 B',
    ]);
    await page.getByRole('button', { name: '8 devices' }).click();
    expect(await rows(page)).toEqual([
      'MHA 2,048 B',
      'GQA-8 512 B',
      'MQA 512 B kept 8 ×',
      'GTA-8 384 B',
      'MLA 1,152 B kept 8 ×',
      'GLA-2 640 B kept 4 ×',
    ]);
    // Grouped latent heads: four devices share each, and all of them the rotated slice.
    expect(await bars(page, 5)).toEqual([
      [2, 0],
      [2, 2],
      [2, 2],
      [2, 2],
      [2, 1],
      [2, 2],
      [2, 2],
      [2, 2],
    ]);
    expect(await page.locator('#kv-shards-summary').innerText()).toBe(
      'GTA-8 keeps least: 384 bytes of a token on each device, 3.00\u00a0MiB of 8,192 tokens. ' +
        'Devices keep the same heads with MQA, MLA, GLA-2: more of them save no memory.',
    );
  });

  it('tells of each device in words, bar by bar', async () => {
    const page = await openCaches();
    const chart = page.locator('tilescope-kv-shards .chart');
    await chart.focus();
    await page.keyboard.press('ArrowDown');
    const readout = page.locator('tilescope-kv-shards .readout');
    expect(await readout.innerText()).toBe(
      'MHA, device 1 of 2: keys and values of heads 0 to 15 · 8,192 bytes a token, 64.0\u00a0MiB in all',
    );
    for (let press = 0; press < 9; press++) await page.keyboard.press('ArrowDown');
    expect(await readout.innerText()).toBe(
      'MLA, device 2 of 2: head 0 as key and value, the shared slice · 1,152 bytes a token, 9.00\u00a0MiB in all' +
        ' · kept by a device before it',
    );
  });

  it('holds the operations for each byte against the GPU', async () => {
    const page = await openCaches();
    expect(await page.locator('#kv-intensity-summary').innerText()).toContain(
      'on 2 devices MHA, GQA-8, MQA, GTA-8, MLA, GLA-2',
    );
    await page.locator('tilescope-kv-intensity .chart').focus();
    for (let press = 0; press < 5; press++) await page.keyboard.press('ArrowDown');
    // 2 · 32 (2 · 512 + 64) / (2 (512 + 64)) and its halves, less what queries and outputs move.
    expect(await page.locator('tilescope-kv-intensity .readout').innerText()).toBe(
      'MLA: TP 1 60.0 · TP 2 30.1 · TP 4 15.1 · TP 8 7.55 FLOP per byte',
    );
    const ridge = page.locator('#kv-FLOP-per-byte').getByRole('textbox');
    await ridge.fill('20');
    await ridge.press('Enter');
    await expect
      .poll(() => page.locator('#kv-intensity-summary').innerText())
      .toContain('on 2 devices MHA, GQA-8, MQA, GTA-8.');
  });

  it('refuses heads that cannot be grouped, says why, and keeps the layer', async () => {
    const page = await openCaches();
    const heads = page.locator('#kv-headsKv').getByRole('textbox');
    await heads.fill('5');
    await heads.press('Enter');
    expect(await page.getByRole('alert').innerText()).toBe('headsKv is 5, and must divide the 32 query heads.');
    expect((await rows(page))[1]).toBe('GQA-8 2,048 B');
    await heads.fill('4');
    await heads.press('Enter');
    expect(await page.getByRole('alert').count()).toBe(0);
    expect((await rows(page))[1]).toBe('GQA-4 1,024 B');
  });

  it('remembers what was looked at when it is loaded anew', async () => {
    const page = await openCaches();
    await page.getByRole('button', { name: '4 devices' }).click();
    const queries = page.locator('#kv-queries').getByRole('textbox');
    await queries.fill('4');
    await queries.press('Enter');
    const before = await rows(page);
    await page.reload();
    await page.locator('.page .machine').waitFor();
    expect(await rows(page)).toEqual(before);
    expect(await queries.inputValue()).toBe('4');
  });

  it('saves its numbers and its picture', async () => {
    const page = await openCaches();
    await page.getByRole('button', { name: 'Save as CSV' }).first().click();
    const { text } = await saved(page, /^kv-cache-tp2\.csv$/);
    expect(text.split('\r\n').slice(0, 3)).toEqual([
      'mechanism,devices,elements a token,bytes a token,bytes in all,devices with the same head,FLOP per byte',
      'MHA,1,8192,16384,134217728,1,1.00',
      'MHA,2,4096,8192,67108864,1,1.00',
    ]);
    await page.getByRole('button', { name: 'Save as SVG' }).first().click();
    expect((await saved(page, /^kv-cache-tp2\.svg$/)).text).toContain('GLA-2');
    expect((await last(page))?.method).toBe('save');
  });
});

describe('the tab of layer stacks', () => {
  const openStacks = async (): Promise<Page> => {
    const page = await openCaches();
    await page.getByRole('tab', { name: 'Layer stack' }).click();
    await page.locator('tilescope-layer-bars .stack-bar').first().waitFor();
    return page;
  };
  const barKinds = (page: Page): Promise<string[]> =>
    page
      .locator('tilescope-layer-bars .stack-bar')
      .evaluateAll((all) =>
        all.map((bar) => (bar.querySelector('.hue-state') ? 's' : bar.matches('.stack-window') ? 'w' : 'c')),
      );

  it('shows what each layer of a model keeps, and what the same model of softmax attention would', async () => {
    const page = await openStacks();
    expect((await barKinds(page)).join('')).toBe('sssssssc'.repeat(10));
    // 70 states of 4 MiB, and 10 caches of 4096 bytes a token.
    expect(await page.locator('#stack-layers-summary').innerText()).toBe(
      '80 layers at 131,072 tokens, bytes kept: 5.27\u00a0GiB in all, 95 % of it in the 10 whose cache grows.',
    );
    expect(await page.locator('#stack-growth-summary').innerText()).toBe(
      'At 1,048,576 tokens MiniMax-01 takes 40.3\u00a0GiB, and 320\u00a0GiB made of softmax attention alone.',
    );
    await page.locator('tilescope-layer-bars .chart').focus();
    for (let press = 0; press < 8; press++) await page.keyboard.press('ArrowRight');
    expect(await page.locator('tilescope-layer-bars .readout').innerText()).toBe(
      'layer 8: Softmax attention, 64 heads of 128, 8 key heads · 512\u00a0MiB',
    );
    await page.locator('tilescope-growth .chart').focus();
    await page.keyboard.press('ArrowRight');
    expect(await page.locator('tilescope-growth .readout').innerText()).toBe(
      '1,024 tokens: MiniMax-01 320\u00a0MiB · all softmax 320\u00a0MiB · all lightning 320\u00a0MiB',
    );
  });

  it('predicts a time from measured kernels, and says which are missing', async () => {
    const page = await openStacks();
    const n = 131072;
    const flops = 70 * 4 * 64 * n * 128 * 128 + 10 * ((n * (n + 1)) / 2) * 64 * 2 * 256;
    const note = page.getByRole('region', { name: 'Predicted time' });
    expect((await note.innerText()).replaceAll('\u00a0', ' ')).toContain(
      `the sequence ${(flops / 1e13).toPrecision(3)} s · a further token –`,
    );
    expect(await note.innerText()).toContain('If lightning2.wgsl, flash.wgsl kept the rates they were measured at.');
    expect(await note.innerText()).toContain('Not measured: lightning-attention decode, softmax-attention decode.');
    await page.locator('#stack-text').getByRole('textbox').fill('layers: [{ mechanism: s4 }]');
    expect(await page.getByRole('alert').count()).toBe(1);
  });

  it('draws a list of layers as it is typed, and keeps the last picture where it cannot be read', async () => {
    const page = await openStacks();
    const text = page.locator('#stack-text').getByRole('textbox');
    const list = (window: string): string =>
      `layers:\n  - { mechanism: softmax-attention, heads: 4, headDim: 64, window: ${window}, repeat: 2 }\n` +
      '  - { mechanism: softmax-attention, heads: 4, headDim: 64 }\n';
    await text.fill(list('127'));
    await expect.poll(() => barKinds(page)).toEqual(['w', 'w', 'c']);
    await text.fill(list('wide'));
    expect(await page.getByRole('alert').innerText()).toBe('Layer 1: window must be a number, not "wide".');
    expect(await barKinds(page)).toEqual(['w', 'w', 'c']);
    expect(await text.inputValue()).toBe(list('wide'));
    await page.reload();
    await page.locator('#stack-text').waitFor();
    expect(await text.inputValue()).toBe(list('wide'));
  });
});
