import { describe, expect, it } from 'vitest';
import { benchmarkReport, compareReport, idle, kept } from './harness/fixtures.js';
import { calls, last, saved, show, useLabPages } from './harness/lab-page.js';
import type { ThemeName } from './harness/server.js';
import { states } from './harness/states.js';

const { open } = useLabPages();

describe('without a result', () => {
  it('says what to do where no kernel is open, and does it on one click', async () => {
    const page = await open('no-kernel');
    await page.getByRole('button', { name: 'Open a sample kernel' }).click();
    await expect.poll(() => last(page)).toEqual({ method: 'command', params: { command: 'open-sample' } });
    await page.getByRole('button', { name: 'New kernel from template' }).click();
    await expect.poll(() => last(page)).toEqual({ method: 'command', params: { command: 'new-kernel' } });
    expect(await page.locator('.header-word').innerText()).toBe('no kernel');
  });

  it('starts each job from its button', async () => {
    const page = await open('idle');
    for (const name of ['Run', 'Compare', 'Benchmark']) {
      await page.getByRole('button', { name, exact: true }).click();
      await expect.poll(() => last(page)).toEqual({ method: 'start', params: { job: name.toLowerCase() } });
    }
    await page.getByRole('button', { name: 'Compare with reference' }).click();
    await expect.poll(() => last(page)).toEqual({ method: 'start', params: { job: 'compare' } });
    expect(await page.locator('vscode-button[aria-label="Stop"]').getAttribute('disabled')).not.toBeNull();
  });

  it('lists problems of the file, reveals them, and starts nothing', async () => {
    const page = await open('problems');
    expect(await page.locator('.note-title').innerText()).toBe('1 problem keeps lightning2.wgsl from running');
    await page.getByRole('button', { name: /There is no mechanism "lightening-attention"/ }).click();
    await expect.poll(() => last(page)).toEqual({ method: 'reveal', params: { start: 18, end: 37 } });
    const compare = page.locator('.jobs vscode-button[aria-label="Compare"]');
    expect(await compare.getAttribute('disabled')).not.toBeNull();
    expect(await compare.getAttribute('title')).toBe('The file has problems that must be solved first.');
  });

  it('explains Restricted Mode and leads out of it', async () => {
    const page = await open('untrusted');
    expect(await page.locator('.note-title').innerText()).toBe('Kernels do not run in Restricted Mode');
    await page.getByRole('button', { name: 'Manage workspace trust' }).click();
    await expect.poll(() => last(page)).toEqual({ method: 'command', params: { command: 'manage-trust' } });
    expect(await page.locator('.jobs vscode-button[aria-label="Run"]').getAttribute('disabled')).not.toBeNull();
  });

  it('says what happened, where, and what to do when a job fails', async () => {
    const page = await open('compile-error');
    expect(await page.locator('.note').innerText()).toMatch(/Compare: the driver refuses the shader/);
    await page.getByRole('button', { name: /cannot initialize 'let'/ }).click();
    await expect.poll(() => last(page)).toEqual({ method: 'reveal', params: { start: 812, end: 830 } });
    await page.getByRole('button', { name: 'Try again' }).click();
    await expect.poll(() => last(page)).toEqual({ method: 'start', params: { job: 'compare' } });
  });

  it('offers to check the GPU where there is none', async () => {
    const page = await open('no-gpu');
    expect(await page.locator('.note').innerText()).toContain('--enable-unsafe-webgpu');
    await page.getByRole('button', { name: 'Check GPU' }).click();
    await expect.poll(() => last(page)).toEqual({ method: 'command', params: { command: 'check-gpu' } });
  });

  it('shows a first look at the outputs of a run', async () => {
    const page = await open('ran');
    expect(await page.locator('.note-title').innerText()).toBe('The kernel ran once in 1.91\u00a0ms');
    expect(await page.locator('.note tbody tr').first().innerText()).toMatch(/o \[1, 8, 512, 64\]\s+−3\.1\s+2\.9/);
  });
});

describe('a running job', () => {
  it('can be stopped, is told to screen readers, and moves nothing', async () => {
    const page = await open('right');
    const tops = (): Promise<number[]> =>
      page
        .locator('.content, tilescope-map-figure, .jobs')
        .evaluateAll((all) => all.map((e) => e.getBoundingClientRect().top));
    const before = await tops();
    await show(page, { running: 'compare' });
    expect(await page.locator('[role=status]').innerText()).toBe('Compare started');
    expect(await page.getByRole('progressbar', { name: 'Compare' }).count()).toBe(1);
    await page.getByRole('button', { name: 'Stop' }).click();
    await expect.poll(() => last(page)).toEqual({ method: 'cancel', params: null });
    expect(await tops()).toEqual(before);
    await show(page, { running: null });
    expect(await tops()).toEqual(before);
    expect(await page.locator('[role=status]').innerText()).toBe('Compare finished: right');
  });
});

describe('the Compare tab', () => {
  it("says plainly where a verdict is the simulator's", async () => {
    const page = await open('right');
    expect(await page.locator('.inline-note').count()).toBe(0);
    const report = compareReport(false);
    const device = { ...report.device, host: 'simulator', software: true, subgroupMinSize: 32 } as const;
    await show(page, { compare: kept({ ...report, device }) });
    expect(await page.locator('.inline-note').innerText()).toMatch(/^Judged on the simulator: there is no GPU here/);
    expect(await page.locator('.machine').innerText()).toMatch(/^Simulator, no GPU\s+subgroups of 32\s+source/);
  });

  it('says the verdict first, then lists the cases and the numbers with their bounds', async () => {
    const page = await open('wrong');
    expect(await page.locator('.header-word').innerText()).toBe('wrong');
    expect(await page.locator('.verdict').innerText()).toContain('Wrong in 7 of 10 cases. o differs from row 130 on');
    const rows = page.locator('tilescope-cases tbody tr');
    expect(await rows.count()).toBe(10);
    expect((await rows.nth(5).innerText()).split(/\s*\t\s*/)).toEqual([
      'wrong',
      'no multiple',
      'heads 3, seqlen 300',
      '0.31',
      '0.18',
      '2.0e-5',
    ]);
    expect(await rows.nth(9).innerText()).toContain('could not run');
    const metrics = await page.locator('.metrics tbody tr').allInnerTexts();
    expect(metrics.map((row) => row.replaceAll(/\s*\t\s*/g, ' | ').replaceAll(/\s+/g, ' '))).toEqual([
      'Max error | 0.31 (too much) | 0.0024',
      'RMS ratio | 0.18 (too much) | 2.0e-5',
      'Error vs naive | 8.6e5 × | –',
      'Max ULP | 2,400,123 | –',
      'Wrong elements | 81,344 (too much) | none',
      'NaN | 1,024 (too much) | none',
      'Infinite | 256 (too much) | none',
      'Never written | 4,096 (too much) | none',
      'Guard words hit | none | none',
    ]);
    expect(await page.locator('.machine').innerText()).toMatch(/NVIDIA H200[^]*webview WebGPU[^]*source 3f2ac81e/);
  });

  it('walks the cases with the keyboard and remembers the choice over a reload', async () => {
    const page = await open('wrong');
    await page.locator('tilescope-cases tr[aria-selected=true]').focus();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    expect(await page.locator('tilescope-cases tr[aria-selected=true] th').innerText()).toBe('tile less one');
    expect(await page.evaluate(() => document.activeElement?.textContent)).toContain('tile less one');
    expect(await page.locator('#error-map-summary').innerText()).toMatch(
      /^All 262,144 compared elements of o are within/,
    );
    await page.reload();
    await page.locator('tilescope-cases').waitFor();
    expect(await page.locator('tilescope-cases tr[aria-selected=true] th').innerText()).toBe('tile less one');
  });

  it('reads the cells of the map by keyboard and by pointer, and zooms', async () => {
    const page = await open('wrong');
    const surface = page.getByRole('application', { name: /^Error heat map/ });
    expect(await surface.getAttribute('aria-describedby')).toBe('error-map-summary');
    const readout = page.locator('tilescope-heat-map output');
    await surface.focus();
    await page.keyboard.press('ArrowDown');
    expect(await readout.innerText()).toMatch(
      /^batch 0 · head 2 · row 0–1 · column 0: error [\d.]+e-\d+ \(limit 0\.0024\)$/,
    );
    for (let i = 0; i < 7; i++) await page.keyboard.press('Shift+ArrowDown');
    expect(await readout.innerText()).toMatch(/row 140–141 · column 0: error [\d.]+ \(beyond the limit 0\.0024\)$/);
    const ticks = page.locator('.heat-overlay .axis').first();
    expect(await ticks.innerHTML()).toContain('>500<');
    await page.keyboard.press('+');
    expect(await ticks.innerHTML()).not.toContain('>500<');
    await page.keyboard.press('0');
    expect(await ticks.innerHTML()).toContain('>500<');
    await page.keyboard.press('End');
    expect(await readout.innerText()).toMatch(/column 63:/);
    await surface.hover({ position: { x: 4, y: 4 } });
    expect(await readout.innerText()).toMatch(/row \d–\d · column 0: error/);
  });

  it('names what is not a number, infinite, never written or not compared', async () => {
    const page = await open('wrong');
    await page.getByRole('radio', { name: /^batch 0 · head 3/ }).click();
    const surface = page.getByRole('application', { name: /^Error heat map/ });
    const box = (await surface.boundingBox())!;
    const readAt = async (x: number, token: number): Promise<string> => {
      await surface.hover({ position: { x: x * box.width, y: (token / 512) * box.height } });
      return (await page.locator('tilescope-heat-map output').innerText()).replace(/^.*: /, '');
    };
    expect(await readAt(0.9, 208)).toBe('NaN');
    expect(await readAt(0.1, 262)).toBe('infinite');
    expect(await readAt(0.5, 350)).toBe('never written');
    await page.keyboard.press('Escape');
    await page.getByRole('radio', { name: /^batch 0 · head 7/ }).click();
    expect(await readAt(0.5, 500)).toBe('not compared');
  });

  it('chooses planes as a radio group and by their names', async () => {
    const page = await open('wrong');
    const chosen = page.locator('.plane[aria-checked=true]');
    expect(await chosen.getAttribute('aria-label')).toMatch(/^batch 0 · head 2: wrong in \d+ cells$/);
    await chosen.focus();
    await page.keyboard.press('ArrowLeft');
    expect(await chosen.getAttribute('aria-label')).toMatch(/^batch 0 · head 1: right, largest error/);
    expect(
      await page.getByRole('radio').evaluateAll((all) => all.filter((e) => e.getAttribute('tabindex') === '0').length),
    ).toBe(1);
    await page.getByRole('combobox', { name: 'head' }).click();
    await page.getByRole('option', { name: 'head 5' }).click();
    expect(await chosen.getAttribute('aria-label')).toMatch(/^batch 0 · head 5/);
  });

  it('shows the row of a worst element as two curves', async () => {
    const page = await open('wrong');
    await page.locator('tilescope-worst tbody tr').nth(2).click();
    expect(await page.locator('.plane[aria-checked=true]').getAttribute('aria-label')).toContain('head 4');
    expect(await page.locator('#row-curves-summary').innerText()).toMatch(
      /^batch 0 · head 4 · row 136: at column 19 the candidate differs by/,
    );
    expect(await page.locator('tilescope-curves path.curve-candidate').first().getAttribute('d')).toMatch(/^M/);
    await page.getByRole('application', { name: /^Reference and candidate/ }).focus();
    await page.keyboard.press('ArrowRight');
    expect(await page.locator('tilescope-curves output').innerText()).toMatch(
      /^column 20: reference [−\d.]+, candidate/,
    );
  });

  it('gives every picture as a table, an SVG, a PNG and a CSV file', async () => {
    const page = await open('wrong');
    for (const title of ['Error of o', 'Error histogram', 'Chosen row']) {
      const bar = page.getByRole('toolbar', { name: `${title}: view and save` });
      await bar.getByRole('button', { name: 'Save as SVG' }).click();
      const svg = await saved(page, /\.svg$/);
      expect(svg.text).toMatch(/^<svg[^>]*xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
      expect(svg.text).not.toContain('class=');
      if (title === 'Error of o') expect(svg.text).toContain('data:image/png;base64,');
      await bar.getByRole('button', { name: 'Save as PNG' }).click();
      expect((await saved(page, /\.png$/)).base64?.slice(0, 8)).toBe('iVBORw0K');
      await bar.getByRole('button', { name: 'Save as CSV' }).click();
      const csv = await saved(page, /\.csv$/);
      await bar.getByRole('button', { name: 'Show as table' }).click();
      const table = page.getByRole('region', { name: title }).locator('table');
      expect((await table.locator('thead th').allInnerTexts()).join(',')).toBe(csv.text.split('\r\n')[0]);
      expect(await table.locator('tbody tr').count()).toBeGreaterThan(9);
      await bar.getByRole('button', { name: 'Show the picture' }).click();
    }
  });

  it('names and describes every figure, table and control', async () => {
    const page = await open('wrong');
    const figures = page.getByRole('figure');
    expect(await figures.count()).toBe(3);
    for (const figure of await figures.all()) {
      const described = await figure.getAttribute('aria-describedby');
      expect((await page.locator(`#${described!}`).innerText()).length).toBeGreaterThan(20);
    }
    for (const name of [/^Cases/, 'Worst elements']) expect(await page.getByRole('grid', { name }).count()).toBe(1);
    const nameless = await page
      .locator('vscode-button, button')
      .evaluateAll((all) =>
        all.filter((e) => (e.getAttribute('aria-label') ?? e.textContent).trim() === '').map((e) => e.outerHTML),
      );
    expect(nameless).toEqual([]);
  });

  it('marks what is stale without taking it away', async () => {
    const page = await open('stale');
    expect(await page.locator('.header-verdict').innerText()).toMatch(/right\s*stale/);
    expect(await page.locator('.verdict .badge-stale').count()).toBe(1);
    expect(await page.locator('tilescope-heat-map').isVisible()).toBe(true);
  });
});

describe('the Benchmark tab', () => {
  it('shows time, spread, rates, samples, passes and how they were measured', async () => {
    const page = await open('benchmark');
    expect(await page.locator('.number-main').innerText()).toMatch(
      /1\.8\d\s*ms\s+±[\d.]+ % around the median · p20 .* · n = 60/,
    );
    const blocks = await page.locator('.number-block').allInnerTexts();
    expect(blocks[1]).toMatch(/Arithmetic\s+38\d\d\s*GFLOP\/s/);
    expect(blocks[2]).toMatch(/Compulsory traffic\s+9\.\d\d\s*GB\/s/);
    expect(await page.locator('.sample-dot').count()).toBe(60);
    expect((await page.locator('tbody tr').allInnerTexts()).map((row) => row.split('\t')[2]?.trim())).toEqual([
      '22 %',
      '5 %',
      '72 %',
    ]);
    expect(await page.locator('.facts').innerText()).toMatch(/Clock\s+GPU timestamps\s+Resolution\s+32\.0/);
    await page.getByRole('application', { name: /^Samples/ }).focus();
    await page.keyboard.press('ArrowRight');
    expect(await page.locator('tilescope-strip output').innerText()).toMatch(/^sample 1 of 60: 1\.\d\d\sms$/);
  });

  it('withholds the speed of a kernel whose comparison fails', async () => {
    const page = await open('withheld');
    expect(await page.locator('h2').innerText()).toContain('No speed for a kernel whose comparison fails');
    expect(await page.locator('main').innerText()).not.toMatch(/\d (ms|µs|GFLOP)/);
    await page.getByRole('button', { name: 'See where it goes wrong' }).click();
    expect(await calls(page)).toContainEqual({ method: 'setTab', params: { tab: 'compare' } });
    await page.locator('tilescope-cases').waitFor();
  });

  it('says that a software adapter makes no headline', async () => {
    const page = await open('software-benchmark');
    expect(await page.locator('.inline-note').innerText()).toContain('software adapter');
    expect(await page.locator('.badge-software').innerText()).toBe('software adapter');
    expect(await page.locator('.facts').innerText()).toContain('did not settle');
  });

  it('is reached with the arrow keys, and stays after a reload of the page', async () => {
    const page = await open('right');
    await page.getByRole('tab', { name: 'Compare' }).focus();
    for (const name of ['Tile schedule', 'Memory traffic', 'Benchmark']) {
      await page.keyboard.press('ArrowRight');
      await expect.poll(() => page.getByRole('tab', { name }).getAttribute('aria-selected')).toBe('true');
    }
    await page.locator('tilescope-strip').waitFor();
    expect(await calls(page)).toContainEqual({ method: 'setTab', params: { tab: 'benchmark' } });
    expect(await page.getByRole('tab', { name: 'Benchmark' }).getAttribute('aria-selected')).toBe('true');
  });
});

describe('in any window', () => {
  it.each(['wrong', 'benchmark', 'compile-error', 'no-kernel'])(
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

  it('follows the theme: the canvas is painted anew', async () => {
    const page = await open('right');
    const corner = (): Promise<number[]> =>
      page.evaluate(() => {
        const probe = document.createElement('canvas').getContext('2d', { willReadFrequently: true })!;
        probe.drawImage(document.querySelector('canvas')!, 0, 0);
        return [...probe.getImageData(3, 3, 1, 1).data];
      });
    const dark = await corner();
    await page.evaluate(() => window.harness.setTheme('hc-light'));
    await expect.poll(async () => (await corner())[0]! > dark[0]! + 80).toBe(true);
  });

  /** Every state once; in the other themes one of each picture, because only pictures read colours. */
  const pictures = ['wrong', 'benchmark', 'schedule', 'schedule-lightning', 'schedule-missed', 'traffic'];

  it.each<readonly [ThemeName, readonly string[]]>([
    ['dark', Object.keys(states)],
    ['light', pictures],
    ['hc-dark', pictures],
    ['hc-light', pictures],
  ])('shows its states in %s without a complaint', async (theme, shown) => {
    const page = await open('idle', 700, theme);
    for (const name of shown) await show(page, states[name]!());
    await show(page, { ...idle, compare: kept(compareReport(true)), benchmark: kept(benchmarkReport()) });
    expect(await page.locator('.header-word').innerText()).toBe('wrong');
  });

  it('says right and wrong without colours as well', async () => {
    const page = await open('wrong');
    await page.emulateMedia({ forcedColors: 'active', reducedMotion: 'reduce' });
    const weight = await page
      .locator('.metrics .bad')
      .first()
      .evaluate((cell) => getComputedStyle(cell).fontWeight);
    expect(weight).toBe('700');
    expect(await page.locator('tilescope-cases .codicon-error').count()).toBe(7);
    await show(page, { running: 'compare' });
    expect(await page.locator('progress').evaluate((bar) => getComputedStyle(bar).animationName)).toBe('none');
  });
});
