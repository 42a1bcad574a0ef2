import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { kept } from './harness/fixtures.js';
import { calls, last, saved, show, useLabPages } from './harness/lab-page.js';
import type { ThemeName } from './harness/server.js';
import { flashTrace } from './harness/flash-trace.js';
import { framesDuring } from './harness/frames.js';

const { open } = useLabPages();

const stage = (page: Page): ReturnType<Page['locator']> => page.locator('.stage-surface');
const readout = (page: Page): Promise<string> => page.locator('tilescope-tile-schedule output').innerText();
const counter = async (page: Page): Promise<number> =>
  Number((await page.locator('.transport-step').innerText()).split('/')[0]);

/** The picture's pixels as one number, to see whether it changed. */
function fingerprint(page: Page, element: string): Promise<number> {
  return page.locator(`${element} canvas`).evaluate((canvas: HTMLCanvasElement) => {
    const probe = document.createElement('canvas');
    probe.width = canvas.width;
    probe.height = canvas.height;
    const context = probe.getContext('2d', { willReadFrequently: true })!;
    context.drawImage(canvas, 0, 0);
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    let sum = 0;
    for (let i = 0; i < data.length; i++) sum = (sum * 31 + data[i]!) >>> 0;
    return sum;
  });
}

describe('the Tile schedule tab', () => {
  it('says what to do where nothing was traced, and does it on one click', async () => {
    const page = await open('schedule-empty');
    await page.locator('.empty').getByRole('button').click();
    await expect.poll(() => last(page)).toEqual({ method: 'start', params: { job: 'trace' } });
  });

  it('says in a sentence what became of the pairs, what was traced, and what the step does', async () => {
    const page = await open('schedule');
    expect(await page.locator('.verdict').innerText()).toContain('Every pair of the causal mask is computed once');
    expect(await page.locator('.trace-note').innerText()).toMatch(/All 128 workgroups ran[^]*10,412,032 accesses/);
    expect(await page.locator('#tile-schedule-summary').innerText()).toContain('walks over the keys, 32 a step');
    expect(await readout(page)).toBe('step 74 of 129: compute, left product · queries 448–511 × keys 288–319');
    const held = await page.locator('.held:not([aria-hidden])').allInnerTexts();
    expect(held.map((text) => text.replaceAll(/\s+/g, ' '))).toEqual([
      'left_tile q rows 448–511, columns 0–31 8.00 KiB',
      'right_tile k rows 288–319, columns 0–31 4.00 KiB',
    ]);
  });

  it('says that counts are scaled up where not all workgroups ran', async () => {
    const page = await open('schedule-lightning');
    expect(await page.locator('.trace-note').innerText()).toMatch(/^Scaled up\. Of pass attend 64 of 256/);
    expect(await page.locator('.picture-key').innerText()).toContain('through the state');
  });

  it('steps, steps by tiles, and goes to the ends with the keyboard', async () => {
    const page = await open('schedule');
    await stage(page).focus();
    await page.keyboard.press('Home');
    expect(await counter(page)).toBe(1);
    expect(await readout(page)).toBe(
      'step 1 of 129: load · reads q rows 448–511, columns 0–31; k rows 0–31, columns 0–31',
    );
    const before = await fingerprint(page, 'tilescope-tile-stage');
    await page.keyboard.press('ArrowRight');
    expect(await counter(page)).toBe(2);
    expect(await fingerprint(page, 'tilescope-tile-stage')).not.toBe(before);
    await page.keyboard.press('Shift+ArrowRight');
    expect(await readout(page)).toBe(
      'step 9 of 129: load · reads q rows 448–511, columns 0–31; k rows 32–63, columns 0–31',
    );
    await page.keyboard.press('Shift+ArrowLeft');
    expect(await counter(page)).toBe(1);
    await page.keyboard.press('End');
    expect(await readout(page)).toBe('step 129 of 129: store · writes o rows 448–511');
    await page.keyboard.press('ArrowLeft');
    expect(await counter(page)).toBe(128);
  });

  it('plays and pauses with the space bar, and stops at the end', async () => {
    const page = await open('schedule');
    await stage(page).focus();
    await page.keyboard.press('Home');
    await page.keyboard.press(' ');
    await expect.poll(() => counter(page)).toBeGreaterThan(3);
    expect(await page.getByRole('button', { name: 'Pause' }).count()).toBe(1);
    await page.keyboard.press(' ');
    const stopped = await counter(page);
    await page.waitForTimeout(400);
    expect(await counter(page)).toBe(stopped);
    await page.keyboard.press('End');
    await page.keyboard.press('ArrowLeft');
    await page.getByRole('button', { name: 'Play' }).click();
    await expect.poll(() => counter(page)).toBe(129);
    await expect.poll(() => page.getByRole('button', { name: 'Play' }).count()).toBe(1);
  });

  it('moves once a second at most where motion is to be reduced', async () => {
    const page = await open('schedule');
    await page.emulateMedia({ reducedMotion: 'reduce' });
    await stage(page).focus();
    await page.keyboard.press('Home');
    const started = performance.now();
    await page.keyboard.press(' ');
    let steps = 0;
    while (steps < 2) {
      steps = (await counter(page)) - 1;
      // A step more may stand between two clocks; six a second, which is the pace otherwise, would be far off.
      expect(steps).toBeLessThanOrEqual(1 + (performance.now() - started) / 1000);
    }
  });

  it('scrubs along the timeline, and a click shows the line of the block', async () => {
    const page = await open('schedule');
    const timeline = page.locator('.timeline-surface');
    const box = (await timeline.boundingBox())!;
    const chosenLane = box.y + 15 + 21 + 9;
    await page.mouse.move(box.x + 100, chosenLane);
    await page.mouse.down();
    await page.mouse.move(box.x + 200, chosenLane, { steps: 4 });
    const scrubbed = await counter(page);
    expect(scrubbed).toBeGreaterThan(20);
    await page.mouse.up();
    expect((await calls(page)).filter(({ method }) => method === 'reveal')).toEqual([]);
    await page.mouse.click(box.x + 200, chosenLane);
    await expect.poll(async () => (await last(page))?.method).toBe('reveal');
    expect(await counter(page)).toBe(scrubbed);
    const line = Number(/line (\d+)/.exec(await page.locator('.step-line').innerText())![1]);
    await page.locator('.step-line').click();
    const span = (await last(page))!.params as { start: number };
    const step = flashTrace().schedule.workgroups[1]!.steps[scrubbed - 1]!;
    expect([span.start, line]).toEqual([step.span.start, step.line]);
  });

  it('shows the line behind a tile that is clicked', async () => {
    const page = await open('schedule');
    await stage(page).focus();
    await page.keyboard.press('Home');
    const box = (await stage(page).boundingBox())!;
    // The tile of k stands at the left end of the strip above the scores.
    await page.mouse.move(box.x + 40, box.y + 24);
    expect(await readout(page)).toMatch(/^k · head 3 · row \d+ · column \d+ · read now: rows 0–31, columns 0–31/);
    await page.mouse.click(box.x + 40, box.y + 24);
    const site = flashTrace().schedule.sites.find(({ variable }) => variable === 'k')!;
    await expect.poll(() => last(page)).toEqual({ method: 'reveal', params: site.span });
  });

  it('reads every pair of the score square under the pointer', async () => {
    const page = await open('schedule');
    const box = (await stage(page).boundingBox())!;
    const at = async (query: number, key: number): Promise<string> => {
      await page.mouse.move(box.x + 33 + (key / 1024) * 420, box.y + 51 + (query / 1024) * 420);
      return (await readout(page)).replace(/^.*: /, '');
    };
    expect(await at(480, 100)).toBe('computed once, by the left product');
    expect(await at(480, 400)).toBe('not done yet');
    expect(await at(480, 900)).toBe('shut out by the mask');
    expect(await at(200, 100)).toBe('belongs to a workgroup that was not traced');
    await page.getByRole('checkbox', { name: 'Show on the score matrix' }).click();
    await expect.poll(() => at(480, 400)).toBe('computed once, by the left product');
  });

  it('turns to another traced workgroup, and has any other one traced', async () => {
    const page = await open('schedule');
    await page.locator('.timeline-surface').focus();
    await page.keyboard.press('ArrowUp');
    await expect.poll(() => page.locator('.transport-step').innerText()).toMatch(/\/ 257$/);
    await page.getByRole('combobox', { name: 'Workgroup' }).click();
    await page.getByRole('option', { name: 'workgroup 15, 7, 0' }).click();
    await expect.poll(() => page.locator('.transport-step').innerText()).toMatch(/\/ 17$/);
    const other = page.locator('#other-workgroup');
    await other.locator('input').fill('16, 0, 0');
    await page.keyboard.press('Enter');
    expect(await page.getByRole('alert').innerText()).toBe('"16, 0, 0" is no workgroup: three numbers below 16, 8, 1.');
    await other.locator('input').fill('5, 2');
    await page.keyboard.press('Enter');
    await expect
      .poll(() => last(page))
      .toEqual({
        method: 'traceWorkgroup',
        params: { pass: 0, workgroup: [5, 2, 0] },
      });
  });

  it('goes through the passes of a kernel', async () => {
    const page = await open('schedule-lightning');
    expect(await readout(page)).toContain('compute, left product');
    await page.getByRole('combobox', { name: 'Pass' }).click();
    await page.getByRole('option', { name: 'scan_states' }).click();
    await expect.poll(() => readout(page)).toMatch(/reads states rows 32–47 · writes states rows 32–47$/);
    await page.getByRole('combobox', { name: 'Pass' }).click();
    await page.getByRole('option', { name: 'sum_chunks' }).click();
    await expect
      .poll(() => page.locator('.step-pairs').innerText())
      .toMatch(/^Adds keys 10\d\d–10\d\d to the state\.$/);
  });

  it('lights what the line at the cursor moves', async () => {
    const page = await open('schedule');
    const lineOf = (variable: string): number =>
      flashTrace().schedule.sites.find((site) => site.variable === variable)!.line;
    await show(page, { cursorLine: null });
    const dark = await fingerprint(page, 'tilescope-tile-stage');
    const darkTimeline = await fingerprint(page, 'tilescope-tile-timeline');
    await show(page, { cursorLine: lineOf('v') });
    await expect.poll(() => fingerprint(page, 'tilescope-tile-stage')).not.toBe(dark);
    expect(await fingerprint(page, 'tilescope-tile-timeline')).not.toBe(darkTimeline);
    await show(page, { cursorLine: null });
    await expect.poll(() => fingerprint(page, 'tilescope-tile-stage')).toBe(dark);
  });

  it('marks pairs that are never computed', async () => {
    const page = await open('schedule-missed');
    expect(await page.locator('.verdict .codicon-error').count()).toBe(1);
    expect(await page.locator('.verdict').getAttribute('class')).toContain('wrong');
    expect(await page.locator('.verdict').innerText()).toContain('Keys 96 to 127 are never computed');
    expect(await page.locator('.picture-key').innerText()).toContain('never');
    expect(await page.locator('td.bad').innerText()).toBe('4,096');
  });

  it('gives the picture as a table, an SVG, a PNG and a CSV file', async () => {
    const page = await open('schedule');
    const bar = page.getByRole('toolbar', { name: 'Tile schedule: view and save' });
    await bar.getByRole('button', { name: 'Save as SVG' }).click();
    const svg = await saved(page, /^flash\.wgsl-schedule-8-3-0-step-74\.svg$/);
    expect(svg.text).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"[^>]*><title>Tile schedule of flash\.wgsl/);
    expect(svg.text.match(/<rect/g)!.length).toBeGreaterThan(100);
    await bar.getByRole('button', { name: 'Save as PNG' }).click();
    expect((await saved(page, /\.png$/)).base64?.slice(0, 8)).toBe('iVBORw0K');
    await bar.getByRole('button', { name: 'Save as CSV' }).click();
    const csv = await saved(page, /\.csv$/);
    expect(csv.text.trim().split('\r\n')).toHaveLength(130);
    await bar.getByRole('button', { name: 'Show as table' }).click();
    const table = page.getByRole('region', { name: 'Tile schedule' }).locator('table');
    expect((await table.locator('thead th').allInnerTexts()).join(',')).toBe(csv.text.split('\r\n')[0]);
    expect(await table.locator('tbody tr').count()).toBe(129);
  });

  it('keeps everything in its place while steps go by and a job runs', async () => {
    const page = await open('schedule');
    const places = (): Promise<number[]> =>
      page
        .locator('.transport, .timeline-box, #memory-title, #coverage-title, #tile-schedule-summary')
        .evaluateAll((all) => all.map((element) => element.getBoundingClientRect().top));
    const before = await places();
    await stage(page).focus();
    for (const key of ['Home', 'ArrowRight', 'End', 'ArrowLeft', 'Shift+ArrowLeft']) {
      await page.keyboard.press(key);
      expect(await places()).toEqual(before);
    }
    await show(page, { running: 'trace' });
    expect(await places()).toEqual(before);
    await show(page, { running: null, trace: kept(flashTrace(), true) });
    expect(await places()).toEqual(before);
    expect(await page.locator('.verdict .badge-stale').count()).toBe(1);
  });

  it('remembers workgroup and step over a reload', async () => {
    const page = await open('schedule');
    await page.locator('.timeline-surface').focus();
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('Home');
    await page.keyboard.press('ArrowRight');
    await expect.poll(() => page.evaluate(() => sessionStorage.getItem('state'))).toContain('"step":1');
    await page.reload();
    await page.locator('tilescope-tile-stage').waitFor();
    expect(await page.locator('.transport-step').innerText()).toMatch(/2 \/ 257$/);
  });

  it('names every control and describes the pictures', async () => {
    const page = await open('schedule');
    for (const surface of [stage(page), page.getByRole('slider')]) {
      expect(await surface.getAttribute('aria-describedby')).toBe('tile-schedule-summary');
      expect((await surface.getAttribute('aria-label'))!.length).toBeGreaterThan(10);
    }
    expect(await page.getByRole('slider').getAttribute('aria-valuenow')).toBe('74');
    const nameless = await page
      .locator('vscode-button, button')
      .evaluateAll((all) =>
        all.filter((e) => (e.getAttribute('aria-label') ?? e.textContent).trim() === '').map((e) => e.outerHTML),
      );
    expect(nameless).toEqual([]);
  });

  it.each(['schedule', 'schedule-lightning', 'schedule-missed'])(
    '"%s" fits 360 px without sideways scrolling',
    async (state) => {
      const page = await open(state, 360);
      const wide = await page.evaluate(() => {
        const content = document.querySelector('.content')!;
        return [document.documentElement.scrollWidth - window.innerWidth, content.scrollWidth - content.clientWidth];
      });
      expect(wide).toEqual([0, 0]);
    },
  );

  it.each<ThemeName>(['dark', 'light', 'hc-dark', 'hc-light'])('is painted in the colours of %s', async (theme) => {
    const page = await open('schedule', 700, theme);
    const found = await page.locator('tilescope-tile-stage canvas').evaluate((canvas: HTMLCanvasElement) => {
      const probe = document.createElement('canvas').getContext('2d', { willReadFrequently: true })!;
      const style = getComputedStyle(document.documentElement);
      probe.canvas.width = canvas.width;
      probe.canvas.height = canvas.height;
      probe.drawImage(canvas, 0, 0);
      const { data } = probe.getImageData(0, 0, canvas.width, canvas.height);
      return ['tensorQ', 'tensorK', 'tensorV', 'tensorO'].map((name) => {
        probe.fillStyle = style.getPropertyValue(`--vscode-tilescope-${name}`);
        probe.fillRect(0, 0, 1, 1);
        const [r, g, b] = probe.getImageData(0, 0, 1, 1).data;
        for (let i = 0; i < data.length; i += 4) {
          if (data[i] === r && data[i + 1] === g && data[i + 2] === b && data[i + 3]! > 200) return true;
        }
        return false;
      });
    });
    expect(found).toEqual([true, true, true, true]);
  });

  it('shows sixty frames a second while a pointer is dragged through a trace of ten million accesses', async () => {
    const page = await open('schedule-large');
    const box = (await page.locator('.timeline-surface').boundingBox())!;
    const y = box.y + 24;
    await page.mouse.move(box.x + 100, y);
    await page.mouse.down();
    const moments = await framesDuring(page, async () => {
      for (let move = 0; move < 180; move++) await page.mouse.move(box.x + 100 + (move * (box.width - 110)) / 180, y);
    });
    await page.mouse.up();
    expect(await counter(page)).toBeGreaterThan(1500);
    const gaps = moments.slice(1).map((moment, at) => moment - moments[at]!);
    gaps.sort((a, b) => a - b);
    const [median, slow] = [0.5, 0.95].map((share) => gaps[Math.floor(gaps.length * share)]!);
    console.log(
      `${moments.length} frames for 180 moves: every ${median!.toFixed(1)} ms, 95 % within ${slow!.toFixed(1)} ms`,
    );
    expect(moments.length).toBeGreaterThan(150);
    expect(median).toBeLessThan(17.5);
  });
});
