import { afterAll, beforeAll, beforeEach, expect, onTestFailed, test } from 'vitest';
import { onlyOccurrence, smallKernel } from './kernel.js';
import { Machine, type WorkbenchWindow } from './workbench.js';

const kernel = smallKernel('softmax/flash.wgsl', [
  'shape: { batch: 1, heads: 2, seqlen: 192, headDim: 32 }',
  'cases: [{ seqlen: 65 }]',
]);

const entryPoint = onlyOccurrence(kernel, 'fn attend(');

/** The line that loads queries. */
const loading = onlyOccurrence(kernel, 'value = factor * q[');

/** The barrier between writing and reading the parts of a row's maximum. */
const barrier = onlyOccurrence(kernel, '\n    workgroupBarrier();');

let machine: Machine;
let window: WorkbenchWindow;

beforeAll(async () => {
  machine = await Machine.start({ withExtension: true });
  const broken = kernel.replace(barrier, '');
  const folder = machine.makeFolder('inside', { 'flash.wgsl': kernel, 'broken.wgsl': broken }, {});
  window = await machine.openWindow(folder, 'flash.wgsl');
});

afterAll(async () => {
  await window.close();
  await machine.stop();
});

beforeEach(() => {
  onTestFailed(async ({ task }) => {
    await window.screenshot(`inside-failed-${task.name.replace(/\W+/g, '-')}`);
  });
});

/** The line that the status bar says the cursor is in. */
function cursorLine(line: string): ReturnType<WorkbenchWindow['page']['locator']> {
  return window.page.locator('.statusbar-item').filter({ hasText: new RegExp(`^Ln ${line}, Col `) });
}

/** The texts that decorations have put behind the code: they are no part of the document, but of its style. */
function lineEnds(): Promise<string[]> {
  const spans = "document.querySelectorAll('.editor-instance .view-line span span')";
  return window.page.evaluate<string[]>(`[...${spans}].map((span) => getComputedStyle(span, '::after').content)`);
}

test('the Schedule lens opens the picture, which steps by keyboard and shows the line of a step', async () => {
  await window.find(entryPoint);
  const { panel } = window;
  await window.pressLens('Schedule', panel.getByRole('tab', { name: 'Tile schedule', selected: true }));
  await panel.locator('.trace-note').waitFor();
  await expect.poll(() => panel.locator('.trace-note').innerText()).toMatch(/all counts are exact|ran/);
  await panel.locator('.timeline-surface').focus();
  await window.page.keyboard.press('Home');
  const step = panel.locator('.transport-step');
  await expect.poll(() => step.innerText()).toMatch(/^\s*1 \//);
  await window.page.keyboard.press('ArrowRight');
  await expect.poll(() => step.innerText()).toMatch(/^\s*2 \//);
  await window.screenshot('inside-1-schedule');
  const link = panel.locator('.step-line');
  const line = /(\d+)/.exec(await link.innerText())![1]!;
  await link.click();
  await cursorLine(line).waitFor();
});

test('Show Memory Traffic turns to the tables without tracing again', async () => {
  const note = window.panel.locator('.trace-note');
  const before = await note.innerText();
  await window.runCommand('Tilescope: Show Memory Traffic');
  await window.panel.locator('tilescope-traffic-table').first().waitFor();
  expect(await note.innerText()).toBe(before);
  await window.panel.getByRole('tab', { name: 'Memory traffic', selected: true }).waitFor();
  expect(await window.panel.locator('.header-verdict.busy').count()).toBe(0);
  expect(await note.innerText()).toBe(before);
  await window.screenshot('inside-2-traffic');
});

test('line notes say in the editor what a line moves', async () => {
  await window.runCommand('Tilescope: Toggle Line Notes');
  await window.find(loading);
  await expect.poll(lineEnds).toContainEqual(expect.stringMatching(/^"192\sKiB\s·\s4×\s·\s100\s%\scoalesced"$/));
  await window.screenshot('inside-3-line-notes');
});

test('a hazard is a problem, and its quick fix mends it', async () => {
  await window.openFile('broken.wgsl');
  await window.find(entryPoint);
  await window.runCommand('Tilescope: Check for Hazards');
  const rows = await window.problems();
  const race = rows.filter({ hasText: 'hazard-race-in-workgroup' }).first();
  await race.waitFor();
  await window.screenshot('inside-4-hazard');
  await race.click();
  const fix = window.page
    .locator('.action-widget, .context-view')
    .getByText(/barrier/i)
    .first();
  // The fixes are asked for when the row is chosen, and until they are there the key does nothing; a menu that has just
  // opened may not take a click yet.
  const races = rows.filter({ hasText: 'hazard-race-in-workgroup' });
  for (let attempt = 0; attempt < 10 && (await races.count()) > 0; attempt++) {
    if (!(await fix.isVisible())) await window.page.keyboard.press('Control+.');
    await fix.waitFor({ timeout: 3_000 }).catch(() => undefined);
    await window.page.waitForTimeout(300);
    await fix.click({ timeout: 1_000 }).catch(() => undefined);
    await races
      .first()
      .waitFor({ state: 'detached', timeout: 2_000 })
      .catch(() => undefined);
  }
  expect(await races.count()).toBe(0);
  await window.runCommand('Tilescope: Check for Hazards');
  await window.panel
    .getByText(/No hazard in/)
    .first()
    .waitFor();
  await window.screenshot('inside-5-mended');
});

test('Show KV Caches opens a panel of its own, with a row for each mechanism', async () => {
  await window.runCommand('Tilescope: Show KV Caches');
  await window.page.locator('.tab.active').filter({ hasText: 'KV Cache' }).waitFor();
  const rows = (): Promise<number[]> =>
    Promise.all(window.page.frames().map((frame) => frame.locator('.kv-row').count()));
  await expect.poll(rows).toContain(6);
  await window.screenshot('inside-6-caches');
});
