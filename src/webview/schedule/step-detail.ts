import { html, nothing, svg, type TemplateResult } from 'lit';
import type { TileHeld } from '../../core/analysis/schedule.js';
import type { Actions } from '../actions.js';
import { tensorHue } from '../picture/tensor-hue.js';
import { t } from '../strings.js';
import type { ScheduleModel } from './schedule-model.js';
import {
  bytesText,
  countText,
  kindWord,
  movesOf,
  rangeText,
  rectText,
  scoreText,
  type Move,
} from './schedule-words.js';

/** What one step does, in numbers, each with the line that does it. */
export function stepDetail(model: ScheduleModel, index: number, actions: Actions): TemplateResult {
  const step = model.lane.schedule.steps[index]!;
  const most = mostOf(model);
  return html`<section class="block" aria-labelledby="step-title">
    <div class="block-bar">
      <h3 id="step-title">${t('Step {0}', index + 1)}</h3>
      <span class="muted">${kindWord(step)}${step.barrier ? ` · ${t('ends at a barrier')}` : ''}</span>
      <button
        class="link step-line"
        title=${t('Show the line that does most of this step')}
        @click=${() => actions.reveal(step.span.start, step.span.end)}
      >
        ${t('line {0}', step.line)}
      </button>
    </div>
    <p class="step-pairs small">
      ${scoreText(step) ?? stateText(model, index) ?? html`<span class="muted">${t('No pairs are formed.')}</span>`}
    </p>
    <ul class="moves" aria-label=${t('Device memory')}>
      ${padded(
        movesOf(step, model).map((item) => move(model, item, actions)),
        most.accesses,
      )}
    </ul>
    <p class="muted small">
      ${t(
        '{0} accesses to device memory, {1} to workgroup memory',
        countText(step.deviceAccesses),
        countText(step.workgroupAccesses),
      )}
    </p>
  </section>`;
}

function stateText(model: ScheduleModel, index: number): string | null {
  const state = model.lane.schedule.steps[index]!.states[0];
  if (!state) return null;
  const keys = t('keys {0}–{1}', state.keys.from, Math.max(state.keys.from, state.keys.to - 1));
  return state.mode === 'update' ? t('Adds {0} to the state.', keys) : t('Reads the state of {0}.', keys);
}

function move(model: ScheduleModel, access: Move, actions: Actions): TemplateResult {
  const tensor = model.schedule.tensors.find(({ name }) => name === access.tensor);
  const site = model.schedule.sites[access.sites[0] ?? -1];
  return html`<li>
    <button
      class="move"
      ?disabled=${!site}
      title=${site ? t('Show line {0}', site.line) : ''}
      @click=${() => site && actions.reveal(site.span.start, site.span.end)}
    >
      <span class="swatch hue-${tensorHue(access.tensor, tensor?.role)}" aria-hidden="true"></span>
      <span class="move-name code">${access.tensor}</span>
      <span class="muted">${access.mode === 'read' ? t('read') : t('write')}</span>
      <span class="move-place code">${access.place}</span>
      <span class="number">${bytesText(access.bytes)}</span>
    </button>
  </li>`;
}

/** What workgroup memory holds at the end of a step, against its size. */
export function workgroupMemory(model: ScheduleModel, index: number): TemplateResult {
  const held = heldTogether(model.lane.schedule.steps[index]!.held);
  const capacity = model.report.passes[model.pass]?.workgroupBytes ?? 0;
  const most = mostOf(model);
  const used = held.reduce((sum, item) => sum + item.bytes, 0);
  return html`<section class="block" aria-labelledby="memory-title">
    <div class="block-bar">
      <h3 id="memory-title">${t('Workgroup memory')}</h3>
      <span class="muted number">${t('{0} of {1}', bytesText(used), bytesText(capacity))}</span>
    </div>
    ${
      capacity === 0
        ? html`<p class="muted">${t('This pass has no workgroup memory.')}</p>`
        : html`${memoryBar(held, capacity)}
            <ul class="moves" aria-label=${t('Held in workgroup memory')}>
              ${padded(
                held.map((item) => heldRow(item, model)),
                most.held,
              )}
            </ul>`
    }
  </section>`;
}

/** The same rectangle of several planes (the heads that share what a workgroup has loaded) in one variable is one row. */
function heldTogether(held: readonly TileHeld[]): readonly Held[] {
  const rows = new Map<string, Held>();
  for (const item of held) {
    const { variable, tensor, rect, bytes } = item;
    const key = [variable, tensor, ...(rect ? [rect.row0, rect.row1, rect.column0, rect.column1] : [])].join(' ');
    const known = rows.get(key);
    rows.set(key, known ? { ...known, bytes: known.bytes + bytes, planes: known.planes + 1 } : { ...item, planes: 1 });
  }
  return [...rows.values()];
}

interface Held extends TileHeld {
  readonly planes: number;
}

function memoryBar(held: readonly TileHeld[], capacity: number): TemplateResult {
  let x = 0;
  return html`<svg class="memory-bar" viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden="true">
    <rect class="memory-ground" width="100" height="12"></rect>
    ${held.map((item) => {
      const width = (item.bytes / capacity) * 100;
      const at = x;
      x += width;
      return svg`<rect class="memory-part hue-${tensorHue(item.tensor)}" x=${at} width=${Math.max(0, width - 0.4)} height="12"></rect>`;
    })}
  </svg>`;
}

/** A rectangle of held contents in words; what comes from a cache in pages is known by token, not by slot. */
function heldText({ tensor, rect }: Held, model: ScheduleModel): string {
  if (!rect) return tensor;
  const paged = model.schedule.tensors.some(({ name, pageRows }) => name === tensor && pageRows !== null);
  if (!paged) return `${tensor} ${rectText(rect, undefined)}`;
  const tokens = t('tokens {0}', rangeText(rect.row0, rect.row1));
  return `${tensor} ${tokens}, ${t('columns {0}', rangeText(rect.column0, rect.column1))}`;
}

function heldRow(item: Held, model: ScheduleModel): TemplateResult {
  return html`<li class="held">
    <span class="swatch hue-${tensorHue(item.tensor)}" aria-hidden="true"></span>
    <span class="move-name code">${item.variable}</span>
    <span class="move-place code"
      >${heldText(item, model)}${item.planes > 1 ? ` · ${t('{0} heads', item.planes)}` : ''}</span
    >
    <span class="number">${bytesText(item.bytes)}</span>
  </li>`;
}

/** Rows are kept for the fullest step, so that nothing below moves while the schedule plays. */
function padded(rows: readonly TemplateResult[], count: number): readonly TemplateResult[] {
  const missing = Math.max(0, count - rows.length);
  return [...rows, ...Array.from({ length: missing }, () => html`<li class="held" aria-hidden="true">${nothing}</li>`)];
}

const counted = new WeakMap<ScheduleModel, { readonly accesses: number; readonly held: number }>();

function mostOf(model: ScheduleModel): { readonly accesses: number; readonly held: number } {
  const known = counted.get(model);
  if (known) return known;
  let accesses = 0;
  let held = 0;
  for (const step of model.lane.schedule.steps) {
    accesses = Math.max(accesses, movesOf(step, model).length);
    held = Math.max(held, heldTogether(step.held).length);
  }
  const most = { accesses: Math.min(12, accesses), held: Math.min(12, held) };
  counted.set(model, most);
  return most;
}
