import { html, LitElement, nothing, type PropertyValues, type TemplateResult } from 'lit';
import { guard } from 'lit/directives/guard.js';
import type { TraceReport } from '../../lab/contract.js';
import type { Actions } from '../actions.js';
import { pageBackground, toPng } from '../picture/export.js';
import { figure, tableCsv, type PictureTable } from '../picture/figure.js';
import { loweredPen } from '../picture/pen.js';
import { svgPen } from '../picture/svg-pen.js';
import { t } from '../strings.js';
import { coverageBlock } from './coverage-block.js';
import { stepAt, stepStart, tellingStep, workgroupKey } from './lanes.js';
import { Playback } from './playback.js';
import { scheduleKey } from './schedule-key.js';
import { lightOf, makeModel, type LineLight, type ScheduleModel } from './schedule-model.js';
import { stepTable, stepText } from './schedule-words.js';
import { stepDetail, workgroupMemory } from './step-detail.js';
import { TileStage } from './tile-stage.js';
import { TileTimeline, type LaneStep } from './tile-timeline.js';
import { transport } from './transport.js';
import { workgroupPicker } from './workgroup-picker.js';

/** How long a step must stand before the page remembers it, in milliseconds. */
const rememberAfter = 250;

/**
 * The tile schedule of one workgroup: the stage, the timeline, and the step in numbers, with one playhead for all.
 * `start` is the step to begin with (null: one in the middle); from then on the playhead is the component's own.
 */
export class TileSchedule extends LitElement {
  static override readonly properties = {
    report: { attribute: false },
    pass: { attribute: false },
    workgroup: { attribute: false },
    start: { attribute: false },
    coverage: { attribute: false },
    cursorLine: { attribute: false },
    busy: { attribute: false },
    actions: { attribute: false },
    step: { state: true },
    pointed: { state: true },
    asTable: { state: true },
    refused: { state: true },
  };

  declare report: TraceReport;
  declare pass: number | null;
  declare workgroup: string | null;
  declare start: number | null;
  declare coverage: boolean;
  declare cursorLine: number | null;
  declare busy: boolean;
  declare actions: Actions;
  declare private step: number;
  declare private pointed: string | null;
  declare private asTable: boolean;
  declare private refused: string | null;

  private model: ScheduleModel | null = null;
  private light: LineLight | null = null;
  private remembering: number | null = null;
  private readonly playback = new Playback(this, (steps) => this.advance(steps));

  constructor() {
    super();
    this.step = 0;
    this.pointed = null;
    this.asTable = false;
    this.refused = null;
  }

  override createRenderRoot(): this {
    return this;
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('report') || changed.has('pass') || changed.has('workgroup')) {
      const before = this.model;
      this.model = makeModel(this.report, this.pass, this.workgroup);
      this.playback.pause();
      this.step = this.carriedStep(before);
      this.light = null;
    }
    if (this.model && (!this.light || changed.has('cursorLine'))) this.light = lightOf(this.model, this.cursorLine);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    if (this.remembering !== null) window.clearTimeout(this.remembering);
  }

  /** A new workgroup is shown at the time of the one before; the first begins at `start`. */
  private carriedStep(before: ScheduleModel | null): number {
    if (!this.model) return 0;
    const { lane } = this.model;
    const last = lane.ends.length - 1;
    if (!before) return Math.min(last, this.start ?? tellingStep(lane));
    if (before.pass !== this.model.pass) return tellingStep(lane);
    const at = before.lane.ends[Math.min(this.step, before.lane.ends.length - 1)]! - 0.5;
    return stepAt(lane, at);
  }

  protected override render(): TemplateResult | typeof nothing {
    const { model } = this;
    if (!model) return html`<p class="muted pad">${t('No workgroup of this kernel touches memory.')}</p>`;
    return html`<div class="split schedule-split">
      <div class="split-main">${this.figureOf(model)}</div>
      <div class="split-side">
        ${stepDetail(model, this.step, this.actions)} ${workgroupMemory(model, this.step)}
        ${guard([this.report, model.pass, this.coverage], () => this.coverageOf(model))}
      </div>
    </div>`;
  }

  private coverageOf(model: ScheduleModel): TemplateResult | typeof nothing {
    const { coverage } = this.report;
    if (!coverage) return nothing;
    return coverageBlock(coverage, model.pass, this.coverage, (shown) => this.actions.look({ coverage: shown }));
  }

  private figureOf(model: ScheduleModel): TemplateResult {
    const { lane, pass } = model;
    return figure({
      id: 'tile-schedule',
      title: t('Tile schedule'),
      summary: this.report.schedule.sentence,
      controls: workgroupPicker({
        report: this.report,
        pass,
        workgroup: lane.schedule.workgroup,
        busy: this.busy,
        refused: this.refused,
        actions: this.actions,
        onRefused: (message) => (this.refused = message),
      }),
      table: this.asTable ? stepTable(model) : emptyTable,
      asTable: this.asTable,
      onToggle: () => (this.asTable = !this.asTable),
      onSave: (kind) => this.save(kind, model),
      picture: html`<div class="schedule-picture" @keydown=${this.onKeydown}>
        <tilescope-tile-stage
          .model=${model}
          .step=${this.step}
          .final=${this.coverage}
          .light=${this.light}
          .describedBy=${'tile-schedule-summary'}
          @hover-text=${(event: CustomEvent<string | null>) => (this.pointed = event.detail)}
          @site-picked=${(event: CustomEvent<number>) => this.revealSite(event.detail)}
          @step-picked=${() => this.revealStep()}
        ></tilescope-tile-stage>
        ${guard([model], () => scheduleKey(model))}
        ${transport({
          step: this.step,
          steps: lane.ends.length,
          playing: this.playback.playing,
          onPlay: () => this.togglePlay(),
          onStep: (by) => this.walk(by),
          onTile: (by) => this.walkTiles(by),
          onGo: (step) => this.go(step),
          onZoom: (factor) => this.querySelector<TileTimeline>('tilescope-tile-timeline')?.zoom(factor),
        })}
        <tilescope-tile-timeline
          .model=${model}
          .step=${this.step}
          .light=${this.light}
          .describedBy=${'tile-schedule-summary'}
          @step-scrubbed=${this.onScrubbed}
          @step-picked=${this.onPicked}
          @step-hovered=${this.onHovered}
        ></tilescope-tile-timeline>
        <output
          class="readout readout-tall"
          aria-live=${this.playback.playing || this.pointed !== null ? 'off' : 'polite'}
          >${this.pointed ?? stepText(model, this.step)}</output
        >
      </div>`,
    });
  }

  private go(step: number): void {
    const last = (this.model?.lane.ends.length ?? 1) - 1;
    const target = Math.min(last, Math.max(0, step));
    if (target === this.step) return;
    this.step = target;
    this.pointed = null;
    if (this.remembering !== null) window.clearTimeout(this.remembering);
    this.remembering = window.setTimeout(() => {
      this.remembering = null;
      this.actions.look({ step: this.step });
    }, rememberAfter);
  }

  private walk(by: number): void {
    this.playback.pause();
    this.go(this.step + by);
  }

  private walkTiles(by: 1 | -1): void {
    this.playback.pause();
    const tiles = this.model?.tiles ?? [];
    const target = by > 0 ? tiles.find((start) => start > this.step) : tiles.findLast((start) => start < this.step);
    const last = (this.model?.lane.ends.length ?? 1) - 1;
    this.go(target ?? (by > 0 ? last : 0));
  }

  private advance(steps: number): boolean {
    this.go(this.step + steps);
    return this.step < (this.model?.lane.ends.length ?? 1) - 1;
  }

  private togglePlay(): void {
    if (this.playback.playing) {
      this.playback.pause();
      return;
    }
    const steps = this.model?.lane.ends.length ?? 0;
    if (this.step >= steps - 1) this.go(0);
    this.playback.play(steps);
  }

  private walkLanes(by: 1 | -1): void {
    if (!this.model) return;
    const { lanes, lane, pass } = this.model;
    const next = lanes[lanes.indexOf(lane) + by];
    if (next) this.actions.look({ pass, workgroup: workgroupKey(next.schedule.workgroup) });
  }

  private revealStep(): void {
    const step = this.model?.lane.schedule.steps[this.step];
    if (step) this.actions.reveal(step.span.start, step.span.end);
  }

  private revealSite(index: number): void {
    const site = this.model?.schedule.sites[index];
    if (site) this.actions.reveal(site.span.start, site.span.end);
  }

  private readonly onScrubbed = (event: CustomEvent<LaneStep>): void => {
    if (!this.model) return;
    this.playback.pause();
    const { lanes, lane } = this.model;
    const scrubbed = lanes[event.detail.lane]!;
    // Another lane's block is shown at its time: the click that follows turns to that workgroup.
    this.go(scrubbed === lane ? event.detail.step : stepAt(lane, stepStart(scrubbed, event.detail.step)));
  };

  private readonly onPicked = (event: CustomEvent<LaneStep>): void => {
    if (!this.model) return;
    const { lanes, lane, pass } = this.model;
    const picked = lanes[event.detail.lane]!;
    const step = picked.schedule.steps[event.detail.step];
    if (picked !== lane) this.actions.look({ pass, workgroup: workgroupKey(picked.schedule.workgroup) });
    if (step) this.actions.reveal(step.span.start, step.span.end);
  };

  private readonly onHovered = (event: CustomEvent<LaneStep | null>): void => {
    const { detail } = event;
    const lane = detail && this.model?.lanes[detail.lane];
    this.pointed =
      detail && lane && this.model
        ? `${t('workgroup {0}', lane.schedule.workgroup.join(', '))} · ${stepText({ ...this.model, lane }, detail.step)}`
        : null;
  };

  private readonly onKeydown = (event: KeyboardEvent): void => {
    const { target } = event;
    if (!(target instanceof Element) || !target.matches('.stage-surface, .timeline-surface')) return;
    const last = (this.model?.lane.ends.length ?? 1) - 1;
    const actions: Readonly<Record<string, () => void>> = {
      ' ': () => this.togglePlay(),
      ArrowRight: () => (event.shiftKey ? this.walkTiles(1) : this.walk(1)),
      ArrowLeft: () => (event.shiftKey ? this.walkTiles(-1) : this.walk(-1)),
      ArrowUp: () => this.walkLanes(-1),
      ArrowDown: () => this.walkLanes(1),
      Home: () => this.walk(-this.step),
      End: () => this.walk(last - this.step),
      Enter: () => this.revealStep(),
      '+': () => this.querySelector<TileTimeline>('tilescope-tile-timeline')?.zoom(2),
      '-': () => this.querySelector<TileTimeline>('tilescope-tile-timeline')?.zoom(0.5),
      '0': () => this.querySelector<TileTimeline>('tilescope-tile-timeline')?.zoom(null),
    };
    const action = actions[event.key];
    if (!action || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    action();
  };

  private save(kind: 'svg' | 'png' | 'csv', model: ScheduleModel): void {
    const { kernel } = this.report;
    const name = `${kernel.replaceAll(/[^\w.-]+/g, '-')}-schedule-${model.lane.schedule.workgroup.join('-')}`;
    if (kind === 'csv') {
      this.actions.saveText(`${name}.csv`, tableCsv(stepTable(model)));
      return;
    }
    const text = this.drawing(model);
    if (text === null) return;
    if (kind === 'svg') this.actions.saveText(`${name}-step-${this.step + 1}.svg`, text);
    else this.actions.savePng(`${name}-step-${this.step + 1}.png`, toPng(text));
  }

  /** Stage and timeline below each other, as an SVG file. */
  private drawing(model: ScheduleModel): string | null {
    const stage = this.querySelector('tilescope-tile-stage');
    const timeline = this.querySelector('tilescope-tile-timeline');
    if (!(stage instanceof TileStage) || !(timeline instanceof TileTimeline)) return null;
    const pen = svgPen(getComputedStyle(this).fontFamily);
    const upper = stage.draw(pen);
    const lower = timeline.draw(loweredPen(pen, upper.height + 16));
    const title = `${t('Tile schedule of {0}', this.report.kernel)}, ${stepText(model, this.step)}`;
    return pen.document(Math.max(upper.width, lower.width), upper.height + 16 + lower.height, title, pageBackground());
  }
}

const emptyTable: PictureTable = { header: [], rows: [] };
