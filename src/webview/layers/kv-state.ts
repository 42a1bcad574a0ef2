import { invalidLayer, type DecodeStep, type KvLayer } from '../../core/attention/kv-cache.js';
import { savedFields } from '../saved-state.js';

/** What the page of caches remembers: the layer, the decode step, the devices looked at, and the GPU it is held against. */
export interface KvState {
  readonly layer: KvLayer;
  readonly step: DecodeStep;
  /** One of `deviceCounts`. */
  readonly devices: number;
  /** FLOP that the GPU can do in the time in which it moves one byte: the ridge of its roofline. */
  readonly ridge: number;
}

/** Numbers of devices among which the heads are dealt out. */
export const deviceCounts: readonly number[] = [1, 2, 4, 8];

/** A layer by the model whose shape it is. */
export interface KvPreset {
  readonly id: string;
  readonly title: string;
  readonly layer: KvLayer;
}

/** Shapes of the tables 26 and 5 of arXiv:2505.21487, which the tests of the core repeat. */
export const kvPresets: readonly KvPreset[] = [
  { id: 'llama-3-8b', title: 'Llama 3 8B', layer: { heads: 32, headsKv: 8, headDim: 128, latentHeads: 2 } },
  { id: 'sixteen', title: '16 × 128', layer: { heads: 16, headsKv: 4, headDim: 128, latentHeads: 2 } },
];

/** The state of a page that has never been used; the ridge is that of an H100, 989 TFLOP/s in bf16 by 3.35 TB/s. */
export const freshKvState: KvState = {
  layer: kvPresets[0]!.layer,
  step: { context: 8192, queries: 1, bytesPerElement: 2 },
  devices: 2,
  ridge: 295,
};

/** Reads a saved state; what is missing, of another kind or impossible takes its fresh value. */
export function readKvState(saved: unknown): KvState {
  const { layer, step, devices, ridge } = freshKvState;
  const fields = savedFields(saved);
  const keptLayer = sizesOf(layer, fields.get('layer'));
  const keptDevices = fields.get('devices');
  const keptRidge = fields.get('ridge');
  return {
    layer: invalidLayer(keptLayer) === null ? keptLayer : layer,
    step: sizesOf(step, fields.get('step')),
    devices: deviceCounts.find((count) => count === keptDevices) ?? devices,
    ridge: typeof keptRidge === 'number' && keptRidge > 0 ? keptRidge : ridge,
  };
}

/** The whole numbers from 1 that a saved object has in place of the fresh ones. */
function sizesOf<T extends object>(fresh: T, saved: unknown): T {
  const fields = savedFields(saved);
  const sizes = Object.keys(fresh).flatMap((name) => {
    const size = fields.get(name);
    return typeof size === 'number' && Number.isInteger(size) && size >= 1 ? [[name, size] as const] : [];
  });
  return { ...fresh, ...Object.fromEntries(sizes) };
}
