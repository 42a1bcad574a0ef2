import { heldHeads, kvShard, type KvCache } from '../../core/attention/kv-cache.js';

/** A stretch of what a device keeps of a token: a cached head, or the slice that all heads share. */
export interface ShardPart {
  readonly kind: 'untied' | 'tied' | 'shared';
  /** Null for the shared slice. */
  readonly head: number | null;
  /** Pixels from the left edge of the bar. */
  readonly x: number;
  readonly width: number;
  /** A device with a smaller number keeps it too. */
  readonly copy: boolean;
}

/** What one device keeps of a token. */
export interface ShardBar {
  readonly cache: KvCache;
  readonly device: number;
  readonly y: number;
  readonly height: number;
  readonly parts: readonly ShardPart[];
  readonly elements: number;
}

/** A mechanism with the bars of its devices. */
export interface ShardRow {
  readonly cache: KvCache;
  readonly y: number;
  readonly height: number;
  readonly bars: readonly ShardBar[];
  /** Elements of a token on the device that keeps most. */
  readonly elements: number;
  readonly duplication: number;
}

/** The picture of all caches in pixels. */
export interface ShardLayout {
  readonly rows: readonly ShardRow[];
  readonly height: number;
  /** Elements at the right edge. */
  readonly most: number;
}

/** Pixels of a bar's height by the number of devices, so that a row of eight stays readable and one of one not huge. */
const barHeights: ReadonlyMap<number, number> = new Map([
  [1, 24],
  [2, 14],
  [4, 10],
  [8, 7],
]);
const barGap = 2;
const rowGap = 16;
/** Pixels that the two lines of a row's name take. */
const leastRow = 30;

/** Lays out what each device keeps of a token, `width` pixels for the widest of all bars. */
export function layoutShards(caches: readonly KvCache[], devices: number, width: number): ShardLayout {
  const most = Math.max(...caches.map((cache) => kvShard(cache, devices).elementsPerToken));
  const scale = width / most;
  const barHeight = barHeights.get(devices) ?? 7;
  const rows: ShardRow[] = [];
  let y = 0;
  for (const cache of caches) {
    const { elementsPerToken, duplication } = kvShard(cache, devices);
    const height = devices * (barHeight + barGap) - barGap;
    const room = Math.max(leastRow, height);
    const top = y + (room - height) / 2;
    const seen = new Set<number | null>();
    const bars = Array.from({ length: devices }, (_, device): ShardBar => {
      const parts = partsOf(cache, heldHeads(cache, devices, device), scale, seen);
      return {
        cache,
        device,
        y: top + device * (barHeight + barGap),
        height: barHeight,
        parts,
        elements: parts.reduce((sum, { kind }) => sum + (kind === 'shared' ? cache.sharedWidth : cache.headWidth), 0),
      };
    });
    rows.push({ cache, y, height: room, bars, elements: elementsPerToken, duplication });
    y += room + rowGap;
  }
  return { rows, height: y - rowGap, most };
}

/** The parts of one bar; heads that devices before it keep are found in `seen`, to which it adds its own. */
function partsOf(cache: KvCache, heads: readonly number[], scale: number, seen: Set<number | null>): ShardPart[] {
  let x = 0;
  const place = (kind: ShardPart['kind'], head: number | null, elements: number): ShardPart => {
    const part = { kind, head, x, width: elements * scale, copy: seen.has(head) };
    x += elements * scale;
    return part;
  };
  const parts = heads.map((head) => place(cache.tied ? 'tied' : 'untied', head, cache.headWidth));
  if (cache.sharedWidth > 0) parts.push(place('shared', null, cache.sharedWidth));
  for (const { head } of parts) seen.add(head);
  return parts;
}
