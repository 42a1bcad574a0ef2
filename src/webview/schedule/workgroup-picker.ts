import { html, nothing, type TemplateResult } from 'lit';
import type { TraceReport } from '../../lab/contract.js';
import type { Actions } from '../actions.js';
import { t } from '../strings.js';
import { dropdown, textField } from '../toolkit.js';
import { workgroupKey } from './lanes.js';

type Id = readonly [number, number, number];

/** What the picker starts from: the report, what is shown, and what was typed and refused. */
export interface PickerSpec {
  readonly report: TraceReport;
  readonly pass: number;
  readonly workgroup: Id;
  readonly busy: boolean;
  readonly refused: string | null;
  readonly actions: Actions;
  readonly onRefused: (message: string | null) => void;
}

/** Chooses the pass and the workgroup: one of those that were traced, or any other, which is then traced. */
export function workgroupPicker(spec: PickerSpec): TemplateResult {
  const { report, pass, workgroup, actions } = spec;
  const traced = report.schedule.workgroups.filter((item) => item.pass === pass);
  return html`<span class="figure-controls">
    ${
      report.passes.length > 1
        ? dropdown({
            label: t('Pass'),
            value: String(pass),
            choices: report.passes.map(({ entry }, i) => ({ value: String(i), text: entry })),
            onChange: (value) => {
              if (Number(value) !== pass) actions.look({ pass: Number(value), workgroup: null, step: null });
            },
          })
        : nothing
    }
    ${dropdown({
      label: t('Workgroup'),
      value: workgroupKey(workgroup),
      choices: traced.map((item) => ({
        value: workgroupKey(item.workgroup),
        text: t('workgroup {0}', item.workgroup.join(', ')),
      })),
      onChange: (value) => {
        if (value !== workgroupKey(workgroup)) actions.look({ pass, workgroup: value });
      },
    })}
    ${textField({
      id: 'other-workgroup',
      label: html`<span class="hidden">${t('Another workgroup')}</span>`,
      value: '',
      size: 8,
      disabled: spec.busy,
      hint: t('Trace another workgroup: x, y, z, each below {0}', report.passes[pass]?.workgroups.join(', ') ?? ''),
      placeholder: t('x, y, z'),
      onCommit: (text) => commit(text, spec),
    })}
    ${spec.refused === null ? nothing : html`<span class="bad small" role="alert">${spec.refused}</span>`}
  </span>`;
}

function commit(text: string, { report, pass, actions, onRefused }: PickerSpec): void {
  if (text.trim() === '') {
    onRefused(null);
    return;
  }
  const size = report.passes[pass]?.workgroups ?? [1, 1, 1];
  const id = parseWorkgroup(text, size);
  if (!id) {
    onRefused(t('"{0}" is no workgroup: three numbers below {1}.', text, size.join(', ')));
    return;
  }
  onRefused(null);
  const key = workgroupKey(id);
  actions.look({ pass, workgroup: key, step: null });
  const known = report.schedule.workgroups.some((item) => item.pass === pass && workgroupKey(item.workgroup) === key);
  if (!known) actions.traceWorkgroup(pass, id);
}

/** Reads `x, y, z` (missing ones are 0), or null where a number is none or lies outside of the dispatch. */
export function parseWorkgroup(text: string, size: Id): Id | null {
  const parts = text.split(/[\s,;]+/).filter((part) => part !== '');
  if (parts.length === 0 || parts.length > 3 || parts.some((part) => !/^\d+$/.test(part))) return null;
  const [x = 0, y = 0, z = 0] = parts.map(Number);
  return x < size[0] && y < size[1] && z < size[2] ? [x, y, z] : null;
}
