import { html, type TemplateResult } from 'lit';
import { parseSize, stepSize } from '../shell/overrides.js';
import { t } from '../strings.js';
import { dropdown, textField } from '../toolkit.js';

/** A size that is edited in place. */
export interface SizeField {
  readonly id: string;
  readonly name: string;
  readonly hint: string;
  readonly value: number;
  readonly set: (size: number) => void;
  /** Tells why something that was typed is not taken; null takes an older word back. */
  readonly refuse: (reason: string | null) => void;
}

/** Formats of stored numbers by their bytes. */
export const storageFormats: readonly { readonly value: string; readonly text: string }[] = [
  { value: '4', text: 'f32' },
  { value: '2', text: 'f16 / bf16' },
  { value: '1', text: 'f8' },
];

/** A field for a whole number; the arrow keys double and halve it. */
export function sizeField({ id, name, hint, value, set, refuse }: SizeField): TemplateResult {
  const commit = (text: string): void => {
    const parsed = parseSize(text);
    if (parsed === null) {
      refuse(t('{0} takes a whole number from 1 to 16777216, not "{1}".', name, text));
      return;
    }
    refuse(null);
    if (parsed !== value) set(parsed);
  };
  return html`<span class="field field-size"
    >${textField({
      id,
      label: html`<small class="field-label">${name}</small>`,
      value: String(value),
      size: 6,
      hint: `${hint} ${t('Arrow up doubles, arrow down halves.')}`,
      onCommit: commit,
      onStep: (direction, text) => {
        const next = String(stepSize(parseSize(text) ?? value, direction));
        commit(next);
        return next;
      },
    })}</span
  >`;
}

/** A field for one of several words. */
export function choiceField(
  label: string,
  value: string,
  choices: readonly { readonly value: string; readonly text: string }[],
  onChange: (value: string) => void,
): TemplateResult {
  return html`<span class="field field-choice"
    ><small class="field-label" aria-hidden="true">${label}</small
    >${dropdown({ label, value, choices, onChange })}</span
  >`;
}
