import { afterAll, beforeAll, expect, test } from 'vitest';
import { onlyOccurrence, smallKernel } from './kernel.js';
import { Machine } from './workbench.js';

const kernel = smallKernel('softmax/naive.wgsl', [
  'shape: { batch: 1, heads: 2, seqlen: 40, headDim: 16 }',
  'cases: [{ seqlen: 1 }]',
]);

let machine: Machine;

beforeAll(async () => {
  const userSettings = { 'remote.extensionKind': { 'tilescope.tilescope': ['web'] } };
  machine = await Machine.start({ withExtension: true, userSettings });
});

afterAll(async () => {
  await machine.stop();
});

test('the extension also runs where there is no Node, in the extension host of the browser', async () => {
  const folder = machine.makeFolder('web', { 'naive.wgsl': kernel }, {});
  const window = await machine.openWindow(folder, 'naive.wgsl');
  const bundle = window.page.waitForResponse(/extension\.web\.js/);
  expect((await bundle).ok()).toBe(true);
  await window.find(onlyOccurrence(kernel, 'fn softmax_rows('));
  await window.pressLens('Compare', /comparing|^✓|^✗/);
  await window.verdict('right').waitFor();
  await window.close();
});
