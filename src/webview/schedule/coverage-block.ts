import { html, svg, type TemplateResult } from 'lit';
import type { Coverage } from '../../core/analysis/coverage.js';
import { significant } from '../format.js';
import { t } from '../strings.js';
import { checkbox } from '../toolkit.js';
import { countText } from './schedule-words.js';

/** What became of the pairs of the mask in numbers, and how even the workgroups' loads are. */
export function coverageBlock(
  coverage: Coverage,
  pass: number,
  shown: boolean,
  onShow: (shown: boolean) => void,
): TemplateResult {
  const { totals } = coverage;
  const rows: readonly (readonly [string, number, boolean])[] = [
    [t('By the left product'), totals.once, false],
    [t('Through the state'), totals.throughState, false],
    [t('More than once'), totals.doubled, totals.doubled > 0],
    [t('Never'), totals.missed, totals.missed > 0],
    [t('Computed, but masked'), totals.wasted, false],
  ];
  const share = (count: number): string =>
    totals.required > 0 ? `${significant((count / totals.required) * 100, 3)} %` : '–';
  return html`<section class="block" aria-labelledby="coverage-title">
    <div class="block-bar">
      <h3 id="coverage-title">${t('Coverage')}</h3>
      ${checkbox({
        label: t('Show on the score matrix'),
        checked: shown,
        hint: t('What became of each pair in the end, instead of what is done up to the step'),
        onChange: onShow,
      })}
    </div>
    <table class="data">
      <thead>
        <tr>
          <th scope="col">${t('Pairs of the mask')}</th>
          <th scope="col" class="number">${t('Pairs')}</th>
          <th scope="col" class="number">${t('Of the mask')}</th>
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          ([name, count, wrong]) =>
            html`<tr>
              <th scope="row">${name}</th>
              <td class="number ${wrong ? 'bad' : ''}">${countText(count)}</td>
              <td class="number muted">${share(count)}</td>
            </tr>`,
        )}
      </tbody>
    </table>
    ${balance(coverage, pass)}
  </section>`;
}

const chart = { width: 320, height: 44 } as const;
const mostBars = 160;

function balance(coverage: Coverage, pass: number): TemplateResult {
  const loads = coverage.balance.filter((item) => item.pass === pass);
  if (loads.length < 2) return html``;
  const most = Math.max(...loads.map(({ accesses }) => accesses));
  const least = Math.min(...loads.map(({ accesses }) => accesses));
  const mean = loads.reduce((sum, { accesses }) => sum + accesses, 0) / loads.length;
  const perBar = Math.ceil(loads.length / mostBars);
  const bars = Array.from({ length: Math.ceil(loads.length / perBar) }, (_, i) =>
    Math.max(...loads.slice(i * perBar, (i + 1) * perBar).map(({ accesses }) => accesses)),
  );
  const step = chart.width / bars.length;
  const text = t(
    'Balance of {0} workgroups: {1} to {2} accesses; the largest does {3} times the mean.',
    loads.length,
    countText(least),
    countText(most),
    significant(most / Math.max(1, mean), 2),
  );
  return html`<figure class="balance">
    <svg viewBox="0 0 ${chart.width} ${chart.height}" preserveAspectRatio="none" role="img" aria-label=${text}>
      ${bars.map((accesses, i) => {
        const height = most > 0 ? (accesses / most) * chart.height : 0;
        return svg`<rect class="bar" x=${i * step} y=${chart.height - height} width=${Math.max(0.5, step - (step > 3 ? 1 : 0))} height=${height}></rect>`;
      })}
    </svg>
    <figcaption>${text}</figcaption>
  </figure>`;
}
