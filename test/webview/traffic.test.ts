import { describe, expect, it } from 'vitest';
import { kept } from './harness/fixtures.js';
import { last, saved, show, useLabPages } from './harness/lab-page.js';
import type { ThemeName } from './harness/server.js';
import { flashTrace } from './harness/flash-trace.js';
import { flowsOf, layoutFlow } from '../../src/webview/traffic/flow-layout.js';

const { open } = useLabPages();

describe('the flow picture', () => {
  const { ledger } = flashTrace();

  it('has bands as wide as their bytes, on one scale for device memory', () => {
    const flows = flowsOf(ledger, 'requested');
    const { bands } = layoutFlow(flows, 640);
    const sizes = bands.map(({ flow, path }) => {
      const [y0, y1] = [...path.matchAll(/^M[\d.]+,([\d.]+)|,([\d.]+)z$/g)].map((match) =>
        Number(match[1] ?? match[2]),
      );
      return { flow, size: y1! - y0! };
    });
    const reads = sizes.filter(({ flow }) => flow.from === 'device');
    expect(reads.map(({ flow }) => flow.name)).toEqual(['q', 'k', 'v']);
    for (const { flow, size } of reads)
      expect(size / flow.bytes).toBeCloseTo(reads[0]!.size / reads[0]!.flow.bytes, 10);
  });

  it('loses no byte between the ledger and the bands', () => {
    const flows = flowsOf(ledger, 'requested');
    const sum = (some: typeof flows): number => some.reduce((total, { bytes }) => total + bytes, 0);
    expect(sum(flows.filter(({ from, to }) => from === 'device' || to === 'device'))).toBe(
      ledger.totals.requestedBytes,
    );
    const moved = flowsOf(ledger, 'transferred').filter(({ to }) => to === 'device');
    expect(moved.find(({ name }) => name === 'lse')!.bytes).toBe(8 * 1024 * 32);
  });

  it('parts what is staged in workgroup memory from what goes to registers', () => {
    const [tensor] = ledger.tensors;
    const half = { ...ledger, tensors: [{ ...tensor!, stagedBytes: tensor!.readBytes / 4 }] };
    const flows = flowsOf(half, 'requested').filter(({ from }) => from === 'device');
    expect(flows.map(({ to, bytes }) => [to, bytes / tensor!.readBytes])).toEqual([
      ['workgroup', 0.25],
      ['registers', 0.75],
    ]);
  });
});

describe('the Memory traffic tab', () => {
  it('says the one thing to fix, then the figures at each level', async () => {
    const page = await open('traffic');
    expect(await page.locator('.verdict').innerText()).toContain('most of that is q: keep its tile over the loop');
    const blocks = (await page.locator('.number-block').allInnerTexts()).map((text) => text.replaceAll(/\s+/g, ' '));
    expect(blocks).toEqual([
      'Compulsory 8.03MiB each tensor once 131 FLOP per byte',
      'Requested 138MiB 17 × the minimum 7.60 FLOP per byte',
      'Transferred 172MiB 21 × the minimum 6.10 FLOP per byte',
      'Workgroup memory 425MiB 1.1 × cycles for bank conflicts 3.25 FLOP per byte',
    ]);
    expect(await page.locator('#traffic-flow-summary').innerText()).toMatch(/^The kernel asks for 138\sMiB of device/);
  });

  it('reads every arrow by keyboard and by pointer', async () => {
    const page = await open('traffic');
    const output = page.locator('tilescope-flow output');
    await page.getByRole('application', { name: /^Bytes between/ }).focus();
    await page.keyboard.press('ArrowDown');
    expect(await output.innerText()).toBe(
      'q from device memory to workgroup memory: 68.0\u00a0MiB (71,303,168 bytes) · 34 × the compulsory 2.00\u00a0MiB',
    );
    await page.keyboard.press('ArrowDown');
    expect(await output.innerText()).toMatch(/^k from device memory to workgroup memory/);
    await page.locator('.flow-band.hue-o .flow-target').hover();
    expect(await output.innerText()).toMatch(/^o from registers to device memory: 2\.00\sMiB \(2,097,152 bytes\)/);
  });

  it('shows requested bytes or transferred sectors', async () => {
    const page = await open('traffic');
    const lse = page.locator('.flow-label', { hasText: 'lse' });
    expect(await lse.locator('.flow-bytes').textContent()).toBe('32.0\u00a0KiB');
    await page.getByRole('combobox', { name: 'Width of the bands' }).click();
    await page.getByRole('option', { name: 'sectors transferred' }).click();
    await expect.poll(() => lse.locator('.flow-bytes').textContent()).toBe('256\u00a0KiB');
  });

  it('lists findings with their remedies and shows their places', async () => {
    const page = await open('traffic');
    const finding = page.getByRole('button', { name: /q is read 17 times over.*Load them once before the loop/ });
    await finding.click();
    const span = flashTrace().ledger.findings[0]!.span!;
    await expect.poll(() => last(page)).toEqual({ method: 'reveal', params: span });
  });

  it('sorts the lines by any column and shows them in the editor', async () => {
    const page = await open('traffic');
    const table = page.getByRole('grid', { name: /^Source lines/ });
    const lines = async (): Promise<number[]> => (await table.locator('tbody th').allInnerTexts()).map(Number);
    expect(await lines()).toEqual([167, 201, 123, 139, 158, 319]);
    await table.getByRole('button', { name: 'Line' }).click();
    expect(await lines()).toEqual([319, 201, 167, 158, 139, 123]);
    await table.getByRole('button', { name: 'Line' }).click();
    expect(await lines()).toEqual([123, 139, 158, 167, 201, 319]);
    expect(await table.locator('th[aria-sort=ascending]').innerText()).toBe('Line');
    await table.getByRole('button', { name: 'Efficiency' }).click();
    expect((await lines()).at(-1)).toBe(139);
    await table.locator('tbody tr').last().click();
    const { ledger } = flashTrace();
    await expect.poll(() => last(page)).toEqual({ method: 'reveal', params: ledger.lines[1]!.span });
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('Enter');
    await expect.poll(async () => (await last(page))?.params).toEqual(ledger.lines[4]!.span);
  });

  it('marks what is poorly coalesced with more than a colour', async () => {
    const page = await open('traffic');
    const table = page.getByRole('grid', { name: /^Tensors/ });
    const lse = table.locator('tbody tr', { hasText: 'lse' });
    expect((await lse.locator('td').allInnerTexts()).map((text) => text.trim())).toEqual([
      '32.0\u00a0KiB',
      '–',
      '32.0\u00a0KiB',
      '256\u00a0KiB',
      '1.0 ×',
      '13 %',
    ]);
    expect(await lse.locator('td.bad').innerText()).toContain('13 %');
  });

  it('maps the reads of each part of a tensor', async () => {
    const page = await open('traffic');
    const output = page.locator('tilescope-read-map output');
    const surface = page.getByRole('application', { name: /^Reads of each part/ });
    await surface.focus();
    await page.keyboard.press('ArrowDown');
    expect(await output.innerText()).toBe('q · batch 0 · head 0 · row 0–31 · column 0–15: read 1.000 times');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('End');
    expect(await output.innerText()).toBe('q · batch 0 · head 0 · row 32–63 · column 48–63: read 2.000 times');
    await page.getByRole('combobox', { name: 'Plane of the tensor' }).click();
    await page.getByRole('option', { name: 'batch 0 · head 3' }).click();
    await expect
      .poll(() => page.locator('#read-map-summary').innerText())
      .toMatch(/an element of q · batch 0 · head 3/);
    await page
      .getByRole('figure', { name: 'Reads of each part' })
      .getByRole('combobox', { name: 'Tensor', exact: true })
      .click();
    await page.getByRole('option', { name: 'k', exact: true }).click();
    await expect.poll(() => page.locator('#read-map-summary').innerText()).toMatch(/an element of k .* at most 16\.0/);
  });

  it('shows how traffic grows, where that was simulated', async () => {
    const page = await open('traffic');
    expect(await page.locator('#traffic-scaling-summary').innerText()).toMatch(/seqlen to the power of 1\.9/);
    await page.getByRole('application', { name: /^Bytes at other sequence lengths/ }).focus();
    await page.keyboard.press('ArrowRight');
    expect(await page.locator('tilescope-scaling output').innerText()).toMatch(/^seqlen 256: transferred .*MiB/);
    await show(page, { trace: kept({ ...flashTrace(), ledger: { ...flashTrace().ledger, scaling: null } }) });
    await expect.poll(() => page.locator('tilescope-scaling').count()).toBe(0);
  });

  it('lights what the line at the cursor moves', async () => {
    const page = await open('traffic');
    const line = flashTrace().schedule.sites.find(({ variable }) => variable === 'v')!.line;
    await show(page, { cursorLine: line });
    await expect.poll(() => page.locator('.flow-lit').count()).toBe(1);
    expect(await page.locator('.flow-lit').getAttribute('class')).toContain('hue-v');
    expect(
      await page
        .getByRole('grid', { name: /^Source lines/ })
        .locator('tr.lit th')
        .innerText(),
    ).toBe(String(line));
    await show(page, { cursorLine: line, trace: kept(flashTrace(), true) });
    await expect.poll(() => page.locator('.flow-lit, tr.lit').count()).toBe(0);
    expect(await page.locator('.verdict .badge-stale').count()).toBe(1);
  });

  it('gives every picture as a table, an SVG, a PNG and a CSV file', async () => {
    const page = await open('traffic');
    for (const title of ['What moves', 'Reads of each part', 'With the sequence length']) {
      const bar = page.getByRole('toolbar', { name: `${title}: view and save` });
      await bar.getByRole('button', { name: 'Save as SVG' }).click();
      const svg = await saved(page, /\.svg$/);
      expect(svg.text).toMatch(/^<svg[^>]*xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
      expect(svg.text).not.toContain('class=');
      await bar.getByRole('button', { name: 'Save as PNG' }).click();
      expect((await saved(page, /\.png$/)).base64?.slice(0, 8)).toBe('iVBORw0K');
      await bar.getByRole('button', { name: 'Save as CSV' }).click();
      const csv = await saved(page, /\.csv$/);
      await bar.getByRole('button', { name: 'Show as table' }).click();
      const table = page.getByRole('region', { name: title }).locator('table');
      expect((await table.locator('thead th').allInnerTexts()).join(',')).toBe(csv.text.split('\r\n')[0]);
      await bar.getByRole('button', { name: 'Show the picture' }).click();
    }
  });

  it.each(['traffic', 'traffic-lightning'])('"%s" fits 360 px without sideways scrolling', async (state) => {
    const page = await open(state, 360);
    const wide = await page.evaluate(() => {
      const over = (element: Element): number => element.scrollWidth - element.clientWidth;
      return [
        document.documentElement.scrollWidth - window.innerWidth,
        over(document.querySelector('.content')!),
        ...[...document.querySelectorAll('.table-box')].map(over),
      ];
    });
    expect(wide.every((excess) => excess <= 0)).toBe(true);
  });

  it.each<ThemeName>(['dark', 'light', 'hc-dark', 'hc-light'])('is drawn in the colours of %s', async (theme) => {
    const page = await open('traffic-lightning', 700, theme);
    const hues = await page
      .locator('.flow-band .flow-head')
      .evaluateAll((heads) => heads.map((head) => getComputedStyle(head).fill));
    expect(new Set(hues).size).toBeGreaterThanOrEqual(7);
  });
});
