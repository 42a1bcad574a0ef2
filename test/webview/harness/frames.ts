import type { Page } from 'playwright-core';

interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly ts: number;
}

/**
 * The moments, in ms and in order, at which the browser's compositor drew a frame and swapped it to the screen while an action
 * went on, from the browser's own record. An idle page swaps none.
 */
export async function framesDuring(page: Page, action: () => Promise<void>): Promise<readonly number[]> {
  const session = await page.context().newCDPSession(page);
  const moments: number[] = [];
  session.on('Tracing.dataCollected', ({ value }) => {
    for (const { name, ph, ts } of value as unknown as readonly TraceEvent[]) {
      if (name === 'Graphics.Pipeline.DrawAndSwap' && ph === 'b') moments.push(ts / 1000);
    }
  });
  const complete = new Promise<void>((resolve) => session.once('Tracing.tracingComplete', () => resolve()));
  await session.send('Tracing.start', {
    traceConfig: { includedCategories: ['viz', 'benchmark'] },
    transferMode: 'ReportEvents',
  });
  await action();
  await session.send('Tracing.end');
  await complete;
  await session.detach();
  return moments.sort((a, b) => a - b);
}
