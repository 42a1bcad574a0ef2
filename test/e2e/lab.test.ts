import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test } from 'vitest';
import { onlyOccurrence, smallKernel } from './kernel.js';
import { Machine, type WorkbenchWindow } from './workbench.js';

const kernel = smallKernel('lightning/lightning2.wgsl', [
  'shape: { batch: 1, heads: 2, seqlen: 160, headDim: 32 }',
  'cases: [{ seqlen: 65, headDim: 16 }, { seqlen: 1 }]',
]);

const entryPoint = onlyOccurrence(kernel, 'fn attend(');

/** Leaves out the last tile of keys of every tile of queries: rows from 32 on lack keys. */
const rightLoop = onlyOccurrence(kernel, 'first_key < end_query');
const wrongLoop = 'first_key + TILE_N < end_query';

/** What lenses say from the moment that a job begins. A stale result stands in brackets. */
const compared = /comparing|^✓|^✗/;
const measured = /benchmarking|^✓ .* on a software adapter/;

const themes = [
  { name: 'light', colorTheme: 'Default Light Modern' },
  { name: 'high-contrast', colorTheme: 'Default High Contrast' },
];

let machine: Machine;

beforeAll(async () => {
  machine = await Machine.start({ withExtension: true });
});

afterAll(async () => {
  await machine.stop();
});

describe.each(themes)('the lab in a $name theme', ({ name, colorTheme }) => {
  let window: WorkbenchWindow;

  beforeAll(async () => {
    const folder = machine.makeFolder(name, { 'lightning2.wgsl': kernel }, { 'workbench.colorTheme': colorTheme });
    window = await machine.openWindow(folder, 'lightning2.wgsl');
  });

  afterAll(async () => {
    await window.close();
  });

  beforeEach(() => {
    onTestFailed(async ({ task }) => {
      await window.screenshot(`${name}-failed-${task.name.replace(/\W+/g, '-')}`);
    });
  });

  test('a kernel has lenses above its entry points and no problems', async () => {
    await window.find(entryPoint);
    for (const text of ['Run', 'Compare', 'Benchmark', 'not compared yet']) await window.lens(text).waitFor();
    const rows = await window.problems();
    expect(await rows.allTextContents()).toEqual([]);
    await window.screenshot(`${name}-1-lenses`);
  });

  test('a mistake in the front matter is a problem with a remedy, and goes away with it', async () => {
    await window.replaceText('mechanism: lightning-attention', 'mechanism: lightening-attention');
    const rows = await window.problems();
    await rows.filter({ hasText: 'lightening-attention' }).filter({ hasText: 'lightning-attention' }).first().waitFor();
    await window.screenshot(`${name}-2-problem`);
    await window.replaceText('mechanism: lightening-attention', 'mechanism: lightning-attention');
    await expect.poll(() => rows.count()).toBe(0);
    await window.runCommand('View: Toggle Panel Visibility');
  });

  test('Compare says that it is right', async () => {
    await window.find(entryPoint);
    await window.pressLens('Compare', compared);
    await window.verdict('right').waitFor();
    await window.lens(/✓ right in 3 cases/).waitFor();
    await window.screenshot(`${name}-3-right`);
  });

  test('an edit makes the result stale, and the broken kernel is wrong from row 32 on', async () => {
    await window.replaceText(rightLoop, wrongLoop);
    await window.find(entryPoint);
    await window.lens(/stale/).waitFor();
    await window.pressLens('Compare', compared);
    await window.verdict('wrong').waitFor();
    await window.panel
      .getByText(/\bo\b.*\brow 32\b/)
      .first()
      .waitFor();
    await window.lens(/✗ .*\b32\b/).waitFor();
    await window.screenshot(`${name}-4-wrong`);
  });

  test('mended, it is right again and may be measured', async () => {
    await window.replaceText(wrongLoop, rightLoop);
    await window.find(entryPoint);
    await window.pressLens('Benchmark', measured);
    await window.lens(/✓ .* on a software adapter/).waitFor();
    await window.verdict('right').waitFor();
    await window.panel
      .locator('.header-time')
      .getByText(/\d (ns|µs|ms|s)\b/)
      .waitFor();
    await window.screenshot(`${name}-5-benchmark`);
  });

  test('a reload finds the panel and its results again', async () => {
    await window.reload();
    await window.verdict('right').waitFor();
    await window.find(entryPoint);
    await window.lens(/✓ right/).waitFor();
    await window.screenshot(`${name}-6-reloaded`);
  });
});
