import { html, nothing, type TemplateResult } from 'lit';
import type { TensorVerdict } from '../../core/numerics/verdict.js';
import type { CaseVerdict } from '../../lab/contract.js';
import type { Actions } from '../actions.js';
import { formatCount, formatError, formatFactor } from '../format.js';
import { elementLimit } from '../picture/error-map.js';
import { tensorHue } from '../picture/tensor-hue.js';
import { t } from '../strings.js';
import { dropdown } from '../toolkit.js';
import { mark } from './case-table.js';

interface Metric {
  readonly name: string;
  readonly value: string;
  readonly bound: string;
  readonly bad: boolean;
  readonly hint: string;
}

/** The numbers of one tensor, each with its bound beside it, and the choice of the tensor. */
export function metrics(chosen: CaseVerdict, tensor: TensorVerdict, actions: Actions): TemplateResult {
  const choices = chosen.tensors.map((item) => ({
    value: item.name,
    text: `${item.name} [${item.dims.join(', ')}]${item.passed ? '' : ` – ${t('wrong')}`}`,
  }));
  return html`<section class="block" aria-labelledby="metrics-title">
    <div class="block-bar">
      <h3 id="metrics-title">${t('Tensor')}</h3>
      <span class="swatch hue-${tensorHue(tensor.name)}" aria-hidden="true"></span>
      ${dropdown({
        label: t('Tensor'),
        value: tensor.name,
        choices,
        onChange: (name) => {
          if (name !== tensor.name) actions.look({ tensor: name, plane: null, worst: 0 });
        },
      })}
    </div>
    <p class="tensor-sentence">${mark(tensor.passed)} ${tensor.sentence}</p>
    <table class="data metrics">
      <thead>
        <tr>
          <th scope="col">${t('Measure')}</th>
          <th scope="col" class="number">${t('Found')}</th>
          <th scope="col" class="number">${t('Allowed')}</th>
        </tr>
      </thead>
      <tbody>
        ${rows(tensor).map(
          (metric) =>
            html`<tr title=${metric.hint}>
              <th scope="row">${metric.name}</th>
              <td class="number ${metric.bad ? 'bad' : ''}">
                ${metric.value}${metric.bad ? html`<span class="hidden"> (${t('too much')})</span>` : nothing}
              </td>
              <td class="number muted">${metric.bound}</td>
            </tr>`,
        )}
      </tbody>
    </table>
    <p class="muted small">
      ${
        tensor.compared < tensor.elements
          ? t(
              '{0} of {1} elements compared (sampled rows).',
              formatCount(tensor.compared),
              formatCount(tensor.elements),
            )
          : t('All {0} elements compared.', formatCount(tensor.elements))
      }
      ${
        chosen.repeatable === null
          ? nothing
          : chosen.repeatable
            ? t('Two runs gave the same bits.')
            : html`<span class="bad">${t('Two runs gave different bits: look for a race.')}</span>`
      }
    </p>
  </section>`;
}

function rows(tensor: TensorVerdict): readonly Metric[] {
  const limit = elementLimit(tensor);
  const ratio = tensor.tolerance.kind === 'ratio' ? tensor.bound : null;
  const none = t('none');
  const count = (name: string, value: number, hint: string): Metric => ({
    name,
    value: value === 0 ? none : formatCount(value),
    bound: none,
    bad: value > 0,
    hint,
  });
  return [
    {
      name: t('Max error'),
      value: formatError(tensor.maxAbs),
      bound: formatError(limit),
      bad: tensor.maxAbs === null || tensor.maxAbs > limit,
      hint: t(
        'Largest absolute difference from the float64 reference; the largest reference value is {0}.',
        formatError(tensor.maxReference),
      ),
    },
    {
      name: t('RMS ratio'),
      value: formatError(tensor.rmsRatio),
      bound: formatError(ratio),
      bad: ratio !== null && !tensor.passed && (tensor.rmsRatio === null || tensor.rmsRatio > ratio),
      hint: t('Root mean square of the error over that of the reference.'),
    },
    {
      name: t('Error vs naive'),
      value: formatFactor(tensor.timesNaive),
      bound: '–',
      bad: false,
      hint: t(
        'The error as a multiple of what the naive algorithm makes at the same precision. It informs; the bound decides.',
      ),
    },
    {
      name: t('Max ULP'),
      value: tensor.maxUlp === null ? '–' : formatCount(tensor.maxUlp),
      bound: '–',
      bad: false,
      hint: t('Largest distance in units in the last place. It informs; the bound decides.'),
    },
    count(t('Wrong elements'), tensor.wrong, t('Elements beyond their limit.')),
    count(t('NaN'), tensor.nan, t('Elements that are not a number where the reference is finite.')),
    count(t('Infinite'), tensor.infinite, t('Elements that are infinite where the reference is finite.')),
    count(t('Never written'), tensor.unwritten, t('Elements that still hold the pattern the buffer was filled with.')),
    count(t('Guard words hit'), tensor.guardsTouched, t('Words before or after the tensor that the kernel overwrote.')),
  ];
}
