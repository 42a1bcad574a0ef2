import { elementCount } from '../attention/sizes.js';
import type { PlannedBuffer } from '../kernel/model.js';
import type { AnalysisContext } from './context.js';
import type { TensorTraffic } from './ledger.js';
import type { SiteTraffic } from './traffic-sites.js';
import type { Touches } from './traffic-touch.js';

/** The tensor's name, or the variable's for scratch and uniforms. */
export function contentName({ variable, content }: PlannedBuffer): string {
  return content.kind === 'tensor' ? content.tensor : variable;
}

/** Bytes of the tensor in a buffer, once; 0 for scratch and uniforms. */
export function compulsoryBytesOf({ content }: PlannedBuffer): number {
  if (content.kind !== 'tensor') return 0;
  return elementCount(content.view.dims) * (content.view.format === 'f16' ? 2 : 4);
}

/** A sum over the items for which `pick` gives a number. */
export function sumOf<T>(items: Iterable<T>, pick: (item: T) => number): number {
  let sum = 0;
  for (const item of items) sum += pick(item);
  return sum;
}

/** The traffic of every buffer of the plan, in its order. */
export function tensorTraffic(
  context: AnalysisContext,
  sites: readonly SiteTraffic[],
  touches: Touches,
): readonly TensorTraffic[] {
  return context.plan.buffers.map((buffer, index) => {
    const own = sites.filter(({ site }) => site.buffer === index);
    const reads = own.filter(({ site }) => site.kind === 'read');
    const writes = own.filter(({ site }) => site.kind === 'write');
    const atomics = own.filter(({ site }) => site.kind === 'atomic');
    const readBytes = sumOf(reads, ({ requestedBytes }) => requestedBytes);
    const writtenBytes = sumOf(writes, ({ requestedBytes }) => requestedBytes);
    const transferred = sumOf(own, ({ transferredBytes }) => transferredBytes);
    const changes = [...writes, ...atomics];
    const { content } = buffer;
    return {
      name: contentName(buffer),
      variable: buffer.variable,
      role: content.kind === 'tensor' ? content.role : content.kind,
      compulsoryBytes: compulsoryBytesOf(buffer),
      readBytes,
      writtenBytes,
      atomicBytes: sumOf(atomics, ({ requestedBytes }) => requestedBytes),
      transferredReadBytes: sumOf(reads, ({ transferredBytes }) => transferredBytes),
      transferredWrittenBytes: sumOf(changes, ({ transferredBytes }) => transferredBytes),
      linesRead: sumOf(reads, ({ lines }) => lines),
      linesWritten: sumOf(changes, ({ lines }) => lines),
      rereadFactor: rereadFactor(readBytes, writtenBytes, touches.buffers[index]),
      coalescing: transferred > 0 ? sumOf(own, ({ distinctBytes }) => distinctBytes) / transferred : null,
      stagedBytes: stagedBytes(context, index, reads),
    };
  });
}

/**
 * Bytes of the reads of a buffer that go on into workgroup memory, 0 where its values were not followed. In each pass
 * the share that the followed workgroups stage of what they read themselves stands for all.
 */
function stagedBytes(
  { simulation, provenance, plan }: AnalysisContext,
  index: number,
  reads: readonly SiteTraffic[],
): number {
  if (!provenance) return 0;
  const tensor = contentName(plan.buffers[index]!);
  return sumOf(simulation.passes.entries(), ([pass, { sites, siteCounts, counted }]) => {
    const followedBytes = sumOf(sites.entries(), ([at, { kind, buffer, bytes }]) =>
      kind === 'read' && buffer === index ? (siteCounts[at]! - counted.siteCounts[at]!) * bytes : 0,
    );
    if (followedBytes === 0) return 0;
    const share = Math.min(1, provenance.stagedBytes(pass, tensor) / followedBytes);
    return share * sumOf(reads, (site) => (site.pass === pass ? site.requestedBytes : 0));
  });
}

function rereadFactor(
  readBytes: number,
  writtenBytes: number,
  touch: Touches['buffers'][number] | undefined,
): number | null {
  if (touch === undefined) return null;
  if (readBytes > 0) return touch.readBytes > 0 ? readBytes / touch.readBytes : null;
  return touch.writtenBytes > 0 ? writtenBytes / touch.writtenBytes : null;
}
