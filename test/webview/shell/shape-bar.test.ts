import { describe, expect, it } from 'vitest';
import { calls, last, useLabPages } from '../harness/lab-page.js';

const { open } = useLabPages();

describe('shape and options', () => {
  it('double and halve with the arrow keys, take typed sizes, and refuse nonsense with the reason', async () => {
    const page = await open('idle');
    const seqlen = page.getByRole('textbox', { name: /^seqlen/ });
    await seqlen.focus();
    await page.keyboard.press('ArrowDown');
    await expect
      .poll(() => last(page))
      .toEqual({
        method: 'setOverride',
        params: { override: { shape: { seqlen: 256 }, options: {} } },
      });
    await page.keyboard.press('ArrowUp');
    await expect
      .poll(async () => (await last(page))?.params)
      .toEqual({ override: { shape: { seqlen: 512 }, options: {} } });
    await expect.poll(() => seqlen.inputValue()).toBe('512');
    await page.evaluate(() => window.harness.show({}));
    await page.keyboard.press('Control+A');
    await page.keyboard.type('65');
    await page.evaluate(() => window.harness.show({}));
    await page.keyboard.press('Enter');
    await expect
      .poll(async () => (await last(page))?.params)
      .toEqual({ override: { shape: { seqlen: 65 }, options: {} } });
    await page.keyboard.press('Control+A');
    await page.keyboard.type('many');
    await page.keyboard.press('Enter');
    expect(await page.getByRole('alert').innerText()).toBe(
      'seqlen takes a whole number from 1 to 16777216, not "many".',
    );
  });

  it('take edits that follow each other faster than the host answers', async () => {
    const page = await open('idle');
    await page.evaluate(() => {
      const field = document.querySelector('#dimension-seqlen');
      for (const key of ['ArrowDown', 'ArrowDown', 'ArrowUp', 'ArrowUp']) {
        field?.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
      }
    });
    await expect
      .poll(async () => (await calls(page)).map(({ params }) => params).slice(-4))
      .toEqual([256, 128, 256, 512].map((seqlen) => ({ override: { shape: { seqlen }, options: {} } })));
    await expect.poll(() => page.getByRole('textbox', { name: /^seqlen/ }).inputValue()).toBe('512');
  });

  it('go back to the file, and say why a control cannot be used', async () => {
    const page = await open('idle');
    await page.getByRole('button', { name: 'Reset to the file' }).click();
    await expect.poll(async () => (await last(page))?.params).toEqual({ override: { shape: {}, options: {} } });
    const causal = page.getByRole('checkbox', { name: 'causal' });
    expect(await causal.getAttribute('aria-disabled')).toBe('true');
    expect(await causal.getAttribute('title')).toContain('This kernel has it fixed at true.');
    expect(await page.getByLabel('follows headDim').count()).toBe(1);
  });

  it('offer the choices of an option', async () => {
    const page = await open('idle');
    await page.getByRole('combobox', { name: 'slopeKind' }).click();
    await page.getByRole('option', { name: 'minimax' }).click();
    await expect
      .poll(async () => (await last(page))?.params)
      .toEqual({
        override: { shape: { seqlen: 512 }, options: { slopeKind: 'minimax' } },
      });
  });
});
