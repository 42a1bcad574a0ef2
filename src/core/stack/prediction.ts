import type { Shape } from '../attention/mechanism.js';
import { kindsOf, layerCost, type LayerStack, type StackCase } from './layer-stack.js';

/** How fast a kernel was measured to be, on one machine. */
export interface MeasuredRate {
  /** Id of its mechanism. */
  readonly mechanism: string;
  readonly direction: 'forward' | 'decode';
  /** The file's name, for the account of where a prediction comes from. */
  readonly kernel: string;
  readonly headDim: number;
  readonly flopsPerSecond: number;
  /** Compulsory bytes by the time. */
  readonly bytesPerSecond: number;
}

/** What of a benchmark's report a rate is made of. */
export interface MeasuredKernel {
  readonly kernel: string;
  readonly mechanism: string;
  readonly direction: string;
  readonly shape: Shape;
  readonly gpuTimeNs: { readonly median: number };
  readonly flops: number;
  readonly compulsoryBytes: number;
}

/** The rate of a measured kernel; null for one that computes gradients, which no layer is predicted from. */
export function rateOf(report: MeasuredKernel): MeasuredRate | null {
  const { kernel, mechanism, direction, shape, gpuTimeNs, flops, compulsoryBytes } = report;
  if (direction !== 'forward' && direction !== 'decode') return null;
  const seconds = gpuTimeNs.median / 1e9;
  return {
    ...{ mechanism, direction, kernel, headDim: shape.headDim ?? 64 },
    ...{ flopsPerSecond: flops / seconds, bytesPerSecond: compulsoryBytes / seconds },
  };
}

/** The time of a stack's attention, if every kernel kept the rate it was measured at. */
export interface Prediction {
  /** Seconds of the whole sequence by the operations of forward kernels; null where a mechanism was not measured. */
  readonly prefill: number | null;
  /** Seconds of one decoded token by the bytes of decode kernels; null where not measured, or where there is none. */
  readonly decode: number | null;
  /** The rates that were used. */
  readonly used: readonly MeasuredRate[];
  /** Mechanisms without a measured forward or decode kernel, as `id forward`. */
  readonly missing: readonly string[];
}

/**
 * Predicts the time of a stack from measured rates: of several of one mechanism the one whose heads are closest in width,
 * and of those the fastest. Nothing else than attention is in it, no launch and no weight.
 */
export function predict(stack: LayerStack, at: StackCase, rates: readonly MeasuredRate[]): Prediction {
  const used = new Set<MeasuredRate>();
  const missing = new Set<string>();
  let prefill: number | null = 0;
  let decode: number | null = 0;
  for (const layer of kindsOf(stack)) {
    const cost = layerCost(layer, at);
    const forward = closest(rates, layer.mechanism, 'forward', layer.headDim);
    if (forward) used.add(forward);
    else missing.add(`${layer.mechanism} forward`);
    prefill =
      forward && prefill !== null ? prefill + (layer.repeat * cost.prefillFlops) / forward.flopsPerSecond : null;
    if (cost.decode === null) {
      decode = null;
      continue;
    }
    const step = closest(rates, layer.mechanism, 'decode', layer.headDim);
    if (step) used.add(step);
    else missing.add(`${layer.mechanism} decode`);
    decode = step && decode !== null ? decode + (layer.repeat * cost.decode.bytes) / step.bytesPerSecond : null;
  }
  return { prefill, decode, used: [...used], missing: [...missing] };
}

function closest(
  rates: readonly MeasuredRate[],
  mechanism: string,
  direction: MeasuredRate['direction'],
  headDim: number,
): MeasuredRate | null {
  const rated = rates.filter((rate) => rate.mechanism === mechanism && rate.direction === direction);
  const speed = (rate: MeasuredRate): number => (direction === 'forward' ? rate.flopsPerSecond : rate.bytesPerSecond);
  const distance = (rate: MeasuredRate): number => Math.abs(Math.log2(rate.headDim / headDim));
  const [best] = [...rated].sort((a, b) => distance(a) - distance(b) || speed(b) - speed(a));
  return best ?? null;
}
