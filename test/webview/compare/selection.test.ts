import { describe, expect, it } from 'vitest';
import { decisiveTensor, select, shapeDifference } from '../../../src/webview/compare/selection.js';
import { forKernel, freshState, readPageState } from '../../../src/webview/page-state.js';
import { announcement, headline, headlineTime, speedWithheld } from '../../../src/webview/shell/headline.js';
import { benchmarkReport, compareReport, idle, kept } from '../harness/fixtures.js';

describe('what of a report is shown', () => {
  const report = compareReport(true);

  it('is first what is wrong', () => {
    const selection = select({ ...report, cases: [report.cases[1]!, report.cases[4]!] }, freshState);
    expect(selection.chosen?.name).toBe('tile and one');
    expect(selection.tensor?.name).toBe('o');
    expect(selection.plane).toBe(2);
  });

  it('is what was chosen, as far as the report still has it', () => {
    const state = { ...freshState, caseName: 'one tile', tensor: 'o', plane: 99, worst: 99 };
    const selection = select(report, state);
    expect([selection.chosen?.name, selection.tensor?.name, selection.plane, selection.worstPlace]).toEqual([
      'one tile',
      'o',
      7,
      9,
    ]);
    expect(select(report, { ...freshState, caseName: 'gone' }).chosen?.name).toBe('file shape');
  });

  it('names only what a case has of its own', () => {
    expect(shapeDifference(report.cases[5]!, report.cases[0]!)).toBe('heads 3, seqlen 300');
    expect(shapeDifference(report.cases[0]!, report.cases[0]!)).toBe('');
  });

  it('puts the tensor forward that decides', () => {
    expect(decisiveTensor(report.cases[0]!)?.name).toBe('o');
    expect(decisiveTensor({ ...report.cases[0]!, tensors: [] })).toBeNull();
  });
});

describe('what the page remembers', () => {
  it('survives a reload and drops what it does not understand', () => {
    const state = { ...freshState, uri: 'file:///a.wgsl', tab: 'benchmark', caseName: 'one head', plane: 3 } as const;
    expect(readPageState(JSON.parse(JSON.stringify(state)))).toEqual(state);
    expect(readPageState({ plane: 'two', worst: -1, tab: 'gone' })).toEqual(freshState);
    expect(readPageState(null)).toEqual(freshState);
  });

  it('starts the selection again for another kernel, and keeps the tab', () => {
    const state = { ...freshState, uri: 'a', tab: 'benchmark', plane: 3 } as const;
    expect(forKernel(state, 'a')).toBe(state);
    expect(forKernel(state, 'b')).toEqual({ ...freshState, uri: 'b', tab: 'benchmark' });
  });
});

describe('the headline', () => {
  const right = { ...idle, compare: kept(compareReport(false)), benchmark: kept(benchmarkReport()) };
  const wrong = { ...right, compare: kept(compareReport(true)) };

  it('gives the verdict in a word', () => {
    expect(headline(idle).text).toBe('not compared yet');
    expect(headline(right).text).toBe('right');
    expect(headline(wrong).text).toBe('wrong');
    expect(headline({ ...wrong, running: 'compare' }).text).toBe('comparing');
    expect(headline({ ...idle, compare: kept(compareReport(true), true) }).stale).toBe(true);
  });

  it('is right when a mended text was benchmarked after the wrong one', () => {
    const { compare, benchmark } = wrong;
    const mended = { ...benchmark, at: compare.at + 1, report: { ...benchmark.report, hash: 'mended' } };
    expect(headline({ ...wrong, benchmark: mended }).text).toBe('right');
    expect(headlineTime({ ...wrong, benchmark: mended })?.unit).toBe('ms');
  });

  it('shows no speed of a kernel whose comparison fails', () => {
    expect(headlineTime(right)?.unit).toBe('ms');
    expect(speedWithheld(wrong)).toBe(true);
    expect(headlineTime(wrong)).toBeNull();
  });

  it('tells a screen reader what ended, and how', () => {
    const running = { ...idle, running: 'compare' } as const;
    expect(announcement(null, running)).toBeNull();
    expect(announcement(idle, running)).toBe('Compare started');
    expect(announcement(running, right)).toBe('Compare finished: right');
    expect(announcement(running, wrong)).toMatch(/^Compare finished: wrong\. Wrong in 7 of 10 cases/);
    expect(announcement({ ...idle, running: 'benchmark' }, right)).toMatch(/^Benchmark finished: 1\.8\d ms$/);
  });
});
