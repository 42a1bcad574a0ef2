import { html, LitElement, nothing, type PropertyValues, type TemplateResult } from 'lit';
import type { CaseOverride } from '../../lab/contract.js';
import type { DimensionField, OptionField, PanelKernel } from '../../lab/panel.js';
import type { Actions } from '../actions.js';
import { formatOption } from '../format.js';
import { t } from '../strings.js';
import { checkbox, dropdown, textField } from '../toolkit.js';
import {
  currentOverride,
  parseOption,
  parseSize,
  sameOverride,
  stepSize,
  withDimension,
  withOption,
  withOverride,
} from './overrides.js';

/** The sizes and options the next job runs with, each to be edited in place. */
export class ShapeBar extends LitElement {
  static override readonly properties = {
    kernel: { attribute: false },
    actions: { attribute: false },
    refused: { state: true },
  };

  declare kernel: PanelKernel;
  declare actions: Actions;
  /** What was typed last and cannot be used, or null. */
  declare refused: string | null;
  /** The kernel with the choice that the host was asked for and has not shown yet: the next edit builds on it. */
  private asked: PanelKernel | null = null;

  constructor() {
    super();
    this.refused = null;
  }

  override createRenderRoot(): this {
    return this;
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    const before = changed.get('kernel');
    if (before === undefined) return;
    const isSame = before.hash === this.kernel.hash && before.uri === this.kernel.uri;
    // Snapshots for other reasons (a result came in) may still show the choice as it was.
    if (!isSame || !sameOverride(currentOverride(before), currentOverride(this.kernel))) this.asked = null;
  }

  protected override render(): TemplateResult {
    return html`<div class="shape-bar" role="group" aria-label=${t('Shape and options')}>
        ${this.kernel.dimensions.map((field) => this.dimension(field))}
        ${this.kernel.options.map((field) => this.option(field))}
      </div>
      ${this.refused === null ? nothing : html`<p class="refused" role="alert">${this.refused}</p>`}`;
  }

  private dimension(field: DimensionField): TemplateResult {
    const changed = field.follows === null && field.value !== field.fileValue;
    const hint = [
      field.description,
      field.follows === null ? '' : t('Follows {0} until you set it.', field.follows),
      changed ? t('The file says {0}.', field.fileValue) : '',
      t('Arrow up doubles, arrow down halves.'),
    ];
    const label = html`<small class="field-label ${changed ? 'changed' : ''}"
      >${field.name}${
        field.follows === null
          ? nothing
          : html`<span class="follows" aria-label=${t('follows {0}', field.follows)}
              ><span class="codicon codicon-link" aria-hidden="true"></span
            ></span>`
      }</small
    >`;
    return html`<span class="field field-size ${field.follows === null ? '' : 'following'}"
      >${textField({
        id: `dimension-${field.name}`,
        label,
        value: String(field.value),
        size: 4,
        hint: hint.filter((part) => part !== '').join(' '),
        onCommit: (text) => this.commitSize(field, parseSize(text), text),
        onStep: (direction, text) => {
          const size = stepSize(parseSize(text) ?? field.value, direction);
          this.commitSize(field, size, text);
          return String(size);
        },
      })}</span
    >`;
  }

  private commitSize(field: DimensionField, size: number | null, text: string): void {
    if (size === null) {
      this.refused = t('{0} takes a whole number from 1 to 16777216, not "{1}".', field.name, text);
      return;
    }
    this.refused = null;
    const known = this.chosen.dimensions.find(({ name }) => name === field.name);
    if (size !== (known ?? field).value) this.choose(withDimension(this.chosen, field.name, size));
  }

  private get chosen(): PanelKernel {
    return this.asked ?? this.kernel;
  }

  private choose(override: CaseOverride): void {
    this.asked = withOverride(this.kernel, override);
    this.actions.setOverride(override);
  }

  private option(field: OptionField): TemplateResult {
    const disabled = !field.taken;
    const hint = disabled
      ? t('{0} This kernel has it fixed at {1}.', field.description, formatOption(field.value))
      : field.description;
    const set = (value: OptionField['value']): void => {
      this.refused = null;
      this.choose(withOption(this.chosen, field.name, value));
    };
    const changed = formatOption(field.value) !== formatOption(field.fileValue) ? 'changed' : '';
    switch (field.kind) {
      case 'boolean':
        return html`<span class="field field-switch" title=${hint}
          >${checkbox({ label: field.name, checked: field.value === true, disabled, hint, onChange: set })}</span
        >`;
      case 'choice':
        return html`<span class="field field-choice" title=${hint}
          ><small class="field-label ${changed}" aria-hidden="true">${field.name}</small>${dropdown({
            label: field.name,
            value: String(field.value),
            choices: field.choices.map((choice) => ({ value: choice, text: choice })),
            disabled,
            hint,
            onChange: (value) => {
              if (value !== field.value) set(value);
            },
          })}</span
        >`;
      case 'number':
      case 'window': {
        const { kind } = field;
        return html`<span class="field field-option" title=${hint}
          >${textField({
            id: `option-${field.name}`,
            label: html`<small class="field-label ${changed}">${field.name}</small>`,
            value: formatOption(field.value).replaceAll(/[[\]]/g, ''),
            size: 5,
            disabled,
            hint,
            onCommit: (text) => this.commitOption(field, kind, text, set),
          })}</span
        >`;
      }
    }
  }

  private commitOption(
    field: OptionField,
    kind: 'number' | 'window',
    text: string,
    set: (value: OptionField['value']) => void,
  ): void {
    if (text === formatOption(field.value).replaceAll(/[[\]]/g, '')) return;
    const value = parseOption(kind, text);
    if (value === null) {
      this.refused =
        kind === 'number'
          ? t('{0} takes a number, not "{1}".', field.name, text)
          : t('{0} takes two whole numbers (left, right; -1 is unlimited), not "{1}".', field.name, text);
      return;
    }
    set(value);
  }
}
