import { decodeIntensity, kvCaches, kvShard, type DecodeStep, type KvLayer } from '../core/attention/kv-cache.js';
import { schemaVersion } from '../lab/contract.js';
import { bytesText, count, short, table, type Cell, type Paint } from './text.js';

/** The layer whose caches are compared, on how many devices, and at which decode step. */
export interface KvRequest {
  readonly layer: KvLayer;
  readonly step: DecodeStep;
  /** Numbers of devices among which the heads are dealt out. */
  readonly devices: readonly number[];
  readonly json: boolean;
}

/** What each mechanism caches of a token on one device, how often a head is kept, and the intensity of a decode step. */
export function kvText(paint: Paint, { layer, step, devices, json }: KvRequest): string {
  const rows = kvCaches(layer).map((cache) => ({
    cache,
    shards: devices.map((number) => {
      const shard = kvShard(cache, number);
      const bytesPerToken = shard.elementsPerToken * step.bytesPerElement;
      return { ...shard, bytesPerToken, flopsPerByte: decodeIntensity(cache, shard, step) };
    }),
  }));
  if (json) {
    const caches = rows.map(({ cache: { name, title }, shards }) => ({ name, title, shards }));
    return JSON.stringify({ schemaVersion, layer, step, caches }, null, 2);
  }
  type Shard = (typeof rows)[number]['shards'][number];
  const block = (title: string, cell: (shard: Shard) => string): string => {
    const heads = devices.map((number): Cell => ({ text: `TP ${number}`, align: 'right', paint: paint.faint }));
    const lines = rows.map(({ cache, shards }): Cell[] => [
      { text: cache.name, paint: paint.strong },
      { text: cache.title },
      ...shards.map((shard): Cell => ({ text: cell(shard), align: 'right' })),
    ]);
    return `${title}\n${table([[{ text: '' }, { text: '' }, ...heads], ...lines], '  ')}`;
  };
  const { heads, headsKv, headDim, latentHeads } = layer;
  const { context, queries, bytesPerElement } = step;
  const shape = `${heads} query heads of ${headDim}, ${headsKv} key heads, ${latentHeads} latent heads, ${bytesPerElement} bytes an element`;
  const drafted = queries === 1 ? 'one new token' : `${queries} new tokens`;
  return [
    paint.faint(`One layer: ${shape}. TP n: the heads are dealt out among n devices; each line tells of the fullest.`),
    block('Bytes cached of a token, on each device', ({ bytesPerToken }) => count(bytesPerToken)),
    block(`Cache of ${count(context)} tokens, on each device`, ({ bytesPerToken }) =>
      bytesText(bytesPerToken * context),
    ),
    block('Devices that keep the same head', ({ duplication }) => String(duplication)),
    block(`FLOP per byte of a decode step with ${drafted}`, ({ flopsPerByte }) => short(flopsPerByte)),
  ].join('\n\n');
}
