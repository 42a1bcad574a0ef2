import { html, type TemplateResult } from 'lit';
import { t } from '../strings.js';
import { button } from '../toolkit.js';

/** Where the playhead is and what moves it. */
export interface TransportSpec {
  readonly step: number;
  readonly steps: number;
  readonly playing: boolean;
  readonly onPlay: () => void;
  readonly onStep: (by: 1 | -1) => void;
  readonly onTile: (by: 1 | -1) => void;
  readonly onGo: (step: number) => void;
  /** Null shows all of the time. */
  readonly onZoom: (factor: number | null) => void;
}

/** The buttons that move the playhead, as on a player, and those that zoom the timeline. */
export function transport(spec: TransportSpec): TemplateResult {
  const move = (label: string, key: string, icon: string, disabled: boolean, onClick: () => void): TemplateResult =>
    button({ label, icon, kind: 'icon', hint: `${label} (${key})`, disabled, onClick });
  const first = spec.step === 0;
  const last = spec.step >= spec.steps - 1;
  const digits = String(spec.steps).length;
  return html`<div class="transport" role="toolbar" aria-label=${t('Playhead')}>
    ${move(t('First step'), t('Home'), 'debug-restart', first, () => spec.onGo(0))}
    ${move(t('Tile before'), t('Shift+Left'), 'debug-reverse-continue', first, () => spec.onTile(-1))}
    ${move(t('Step before'), t('Left'), 'chevron-left', first, () => spec.onStep(-1))}
    ${button({
      label: spec.playing ? t('Pause') : t('Play'),
      icon: spec.playing ? 'debug-pause' : 'play',
      kind: 'icon',
      hint: t('{0} (Space)', spec.playing ? t('Pause') : t('Play')),
      pressed: spec.playing,
      onClick: spec.onPlay,
    })}
    ${move(t('Next step'), t('Right'), 'chevron-right', last, () => spec.onStep(1))}
    ${move(t('Next tile'), t('Shift+Right'), 'debug-continue', last, () => spec.onTile(1))}
    <span class="transport-step number"
      >${String(spec.step + 1).padStart(digits, '\u2007')}<span class="muted"> / ${spec.steps}</span></span
    >
    <span class="figure-buttons">
      ${move(t('Zoom out'), '-', 'zoom-out', false, () => spec.onZoom(0.5))}
      ${move(t('Zoom in'), '+', 'zoom-in', false, () => spec.onZoom(2))}
      ${move(t('Show all of the time'), '0', 'screen-full', false, () => spec.onZoom(null))}
    </span>
  </div>`;
}
