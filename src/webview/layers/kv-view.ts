import { html, nothing, type TemplateResult } from 'lit';
import { invalidLayer, kvCaches, kvShard, type DecodeStep, type KvLayer } from '../../core/attention/kv-cache.js';
import { formatBytes, formatCount, joined, significant } from '../format.js';
import type { ChartSpec } from '../picture/chart-figure.js';
import type { PictureTable } from '../picture/figure.js';
import { t } from '../strings.js';
import { button } from '../toolkit.js';
import { choiceField, sizeField, storageFormats } from './fields.js';
import { intensities } from './intensity-chart.js';
import { deviceCounts, kvPresets, type KvState } from './kv-state.js';

/** What the view of caches asks of its page. */
export interface KvActions {
  readonly set: (kv: KvState) => void;
  /** Tells why something that was typed is not taken; null takes an older word back. */
  readonly refuse: (reason: string | null) => void;
}

/** The sizes of the layer and of the decode step, each to be edited in place. */
export function kvControls(kv: KvState, refused: string | null, actions: KvActions): TemplateResult {
  const { layer, step, devices, ridge } = kv;
  const preset = kvPresets.find((item) => sameLayer(item.layer, layer));
  const size = (name: string, hint: string, value: number, set: (size: number) => void): TemplateResult =>
    sizeField({ id: `kv-${name.replaceAll(' ', '-')}`, name, hint, value, set, refuse: actions.refuse });
  const setLayer = (change: Partial<KvLayer>): void => {
    const next = { ...layer, ...change };
    const problem = invalidLayer(next);
    actions.refuse(problem);
    if (problem === null) actions.set({ ...kv, layer: next });
  };
  const setStep = (change: Partial<DecodeStep>): void => actions.set({ ...kv, step: { ...step, ...change } });
  return html`<div class="bar">
    <div class="kv-controls">
      <div class="shape-bar" role="group" aria-label=${t('Layer and decode step')}>
        ${choiceField(t('layer'), preset?.id ?? '', presetChoices(preset === undefined), (id) => {
          const found = kvPresets.find((item) => item.id === id);
          if (found) setLayer(found.layer);
        })}
        ${size('heads', t('Query heads.'), layer.heads, (heads) => setLayer({ heads }))}
        ${size('headsKv', t('Key and value heads of GQA and GTA.'), layer.headsKv, (headsKv) => setLayer({ headsKv }))}
        ${size('headDim', t('Width of a head.'), layer.headDim, (headDim) => setLayer({ headDim }))}
        ${size('latentHeads', t('Latent heads of Grouped Latent Attention.'), layer.latentHeads, (latentHeads) =>
          setLayer({ latentHeads }),
        )}
        ${size('context', t('Tokens in the cache.'), step.context, (context) => setStep({ context }))}
        ${size('queries', t('New tokens a step: 1, or those of a draft.'), step.queries, (queries) =>
          setStep({ queries }),
        )}
        ${choiceField(t('stored as'), String(step.bytesPerElement), storageFormats, (bytes) =>
          setStep({ bytesPerElement: Number(bytes) }),
        )}
        ${size(
          t('FLOP per byte'),
          t('What the GPU can calculate while it moves one byte: 295 on an H100, 989 TFLOP/s by 3.35 TB/s.'),
          ridge,
          (value) => actions.set({ ...kv, ridge: value }),
        )}
      </div>
      ${refused === null ? nothing : html`<p class="refused" role="alert">${refused}</p>`}
    </div>
    <div class="kv-devices" role="group" aria-label=${t('Devices')}>
      ${deviceCounts.map((count) =>
        button({
          label: t('{0} devices', count),
          face: `TP ${count}`,
          icon: null,
          kind: count === devices ? 'primary' : 'secondary',
          pressed: count === devices,
          hint: t('The heads are dealt out among {0} devices.', count),
          onClick: () => actions.set({ ...kv, devices: count }),
        }),
      )}
    </div>
  </div>`;
}

function presetChoices(own: boolean): readonly { readonly value: string; readonly text: string }[] {
  const named = kvPresets.map(({ id, title }) => ({ value: id, text: title }));
  return own ? [{ value: '', text: t('own') }, ...named] : named;
}

function sameLayer(a: KvLayer, b: KvLayer): boolean {
  return (Object.keys(a) as (keyof KvLayer)[]).every((name) => a[name] === b[name]);
}

/** The figure of what each device keeps of a token. */
export function shardFigure(kv: KvState): ChartSpec {
  return {
    id: 'kv-shards',
    title: t('What each device keeps of a token'),
    summary: shardSummary(kv),
    fileName: `kv-cache-tp${kv.devices}`,
    picture: html`${shardKey()}<tilescope-kv-shards
        .kv=${kv}
        .describedBy=${'kv-shards-summary'}
      ></tilescope-kv-shards>`,
    table: kvTable(kv),
  };
}

/** The figure of operations per byte. */
export function intensityFigure(kv: KvState): ChartSpec {
  const bound = kvCaches(kv.layer).filter(
    (cache) => intensities(cache, kv)[deviceCounts.indexOf(kv.devices)]! < kv.ridge,
  );
  const names = bound.map(({ name }) => name).join(', ');
  return {
    id: 'kv-intensity',
    title: t('Operations for each byte of a decode step'),
    summary:
      bound.length === 0
        ? t('No mechanism waits for memory here: all do more than the GPU can for each byte.')
        : t(
            'Left of the line a step waits for memory: on {0} devices {1}. The full dot is this number of devices.',
            kv.devices,
            names,
          ),
    fileName: 'kv-intensity',
    picture: html`<tilescope-kv-intensity .kv=${kv} .describedBy=${'kv-intensity-summary'}></tilescope-kv-intensity>`,
    table: kvTable(kv),
  };
}

/** What the colours and textures of the bars mean. */
function shardKey(): TemplateResult {
  return html`<ul class="kv-key">
    <li><span class="swatch hue-k"></span>${t('keys')}</li>
    <li><span class="swatch hue-v"></span>${t('values')}</li>
    <li><span class="swatch kv-swatch-tied"></span>${t('both in one')}</li>
    <li><span class="swatch hue-k kv-swatch-shared"></span>${t('slice shared by all heads')}</li>
    <li><span class="swatch hue-k kv-swatch-copy"></span>${t('kept by another device too')}</li>
  </ul>`;
}

function shardSummary({ layer, step, devices }: KvState): string {
  const shards = kvCaches(layer).map((cache) => ({ cache, shard: kvShard(cache, devices) }));
  const least = shards.reduce((a, b) => (b.shard.elementsPerToken < a.shard.elementsPerToken ? b : a));
  const bytes = least.shard.elementsPerToken * step.bytesPerElement;
  const copied = shards.filter(({ shard }) => shard.duplication > 1).map(({ cache }) => cache.name);
  const fewest = t(
    '{0} keeps least: {1} bytes of a token on each device, {2} of {3} tokens.',
    least.cache.name,
    formatCount(bytes),
    joined(formatBytes(bytes * step.context)),
    formatCount(step.context),
  );
  if (copied.length === 0) return fewest;
  return `${fewest} ${t('Devices keep the same heads with {0}: more of them save no memory.', copied.join(', '))}`;
}

/** All numbers of the page: a line for each mechanism and number of devices. */
export function kvTable(kv: KvState): PictureTable {
  const { layer, step } = kv;
  return {
    header: [
      t('mechanism'),
      t('devices'),
      t('elements a token'),
      t('bytes a token'),
      t('bytes in all'),
      t('devices with the same head'),
      t('FLOP per byte'),
    ],
    rows: kvCaches(layer).flatMap((cache) => {
      const flops = intensities(cache, kv);
      return deviceCounts.map((devices, at) => {
        const { elementsPerToken, duplication } = kvShard(cache, devices);
        const bytes = elementsPerToken * step.bytesPerElement;
        return [
          cache.name,
          devices,
          elementsPerToken,
          bytes,
          bytes * step.context,
          duplication,
          significant(flops[at]!),
        ];
      });
    }),
  };
}
