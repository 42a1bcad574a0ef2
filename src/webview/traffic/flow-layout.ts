import type { Ledger, TensorTraffic } from '../../core/analysis/ledger.js';
import { tensorHue, type TensorHue } from '../picture/tensor-hue.js';

/** Bytes on their way from one level of memory to another. */
export interface Flow {
  readonly from: 'device' | 'workgroup' | 'registers';
  readonly to: 'device' | 'workgroup' | 'registers';
  /** The tensor's name, or the variable's in workgroup memory; null for values computed in registers. */
  readonly name: string | null;
  /** Null for what moves inside a workgroup under a variable's name. */
  readonly hue: TensorHue | null;
  readonly bytes: number;
  /** The part that no kernel can avoid; 0 where the mathematics asks for none. */
  readonly compulsoryBytes: number;
}

/** What the bands are wide by: bytes the kernel asks for, or whole sectors that its accesses touch. */
export type Measure = 'requested' | 'transferred';

/** All that moves, in the order in which it is drawn: reads of device memory, workgroup memory, writes. */
export function flowsOf(ledger: Ledger, measure: Measure): readonly Flow[] {
  const tensors = ledger.tensors.filter(({ role }) => role !== 'uniform');
  const hue = ({ name, role }: TensorTraffic): TensorHue => tensorHue(name, role);
  const reads = tensors.flatMap((tensor): readonly Flow[] => {
    const bytes = measure === 'requested' ? tensor.readBytes : tensor.transferredReadBytes;
    if (bytes <= 0) return [];
    const share = tensor.readBytes > 0 ? Math.min(1, tensor.stagedBytes / tensor.readBytes) : 0;
    const base = { from: 'device', name: tensor.name, hue: hue(tensor) } as const;
    const least = tensor.role === 'input' ? Math.min(bytes, tensor.compulsoryBytes) : 0;
    const staged: Flow = { ...base, to: 'workgroup', bytes: bytes * share, compulsoryBytes: least * share };
    const direct: Flow = {
      ...base,
      to: 'registers',
      bytes: bytes * (1 - share),
      compulsoryBytes: least * (1 - share),
    };
    return [staged, direct].filter((flow) => flow.bytes > 0);
  });
  const stagedBytes = tensors.reduce((sum, tensor) => sum + tensor.stagedBytes, 0);
  const { workgroup } = ledger;
  const variables = workgroup.byVariable.filter(({ readBytes }) => readBytes > 0);
  const inside: Flow[] = variables.map(({ variable, readBytes }) => ({
    from: 'workgroup',
    to: 'registers',
    name: variable,
    hue: null,
    bytes: readBytes,
    compulsoryBytes: 0,
  }));
  const computed = Math.max(0, workgroup.writtenBytes - stagedBytes);
  if (computed > 0) {
    inside.push({ from: 'registers', to: 'workgroup', name: null, hue: 'score', bytes: computed, compulsoryBytes: 0 });
  }
  const writes = tensors.flatMap((tensor): readonly Flow[] => {
    const bytes = measure === 'requested' ? tensor.writtenBytes + tensor.atomicBytes : tensor.transferredWrittenBytes;
    if (bytes <= 0) return [];
    const least = tensor.role === 'output' ? Math.min(bytes, tensor.compulsoryBytes) : 0;
    return [{ from: 'registers', to: 'device', name: tensor.name, hue: hue(tensor), bytes, compulsoryBytes: least }];
  });
  return [...reads, ...inside, ...writes];
}

/** Two edges of a band at one of its ends, in pixels. */
interface End {
  readonly x: number;
  readonly y0: number;
  readonly y1: number;
}

/** A flow as a band. `core` is the compulsory part inside of it, null where there is none. */
export interface Band {
  readonly flow: Flow;
  readonly path: string;
  readonly core: string | null;
  /** The arrow's point. */
  readonly head: string;
  /** Where a text about it may stand: over its middle. */
  readonly textX: number;
  readonly textY: number;
}

/** The name of a tensor at the left edge, with what is read or written of it. */
export interface FlowLabel {
  readonly name: string;
  readonly hue: TensorHue | null;
  readonly y: number;
  readonly bytes: number;
  readonly compulsoryBytes: number;
}

/** A measure for the width of bands: so many bytes are so many pixels. */
export interface ScaleBar {
  readonly bytes: number;
  readonly pixels: number;
}

/** The flow picture in pixels. Left and right of workgroup memory the bands have scales of their own. */
export interface FlowLayout {
  readonly width: number;
  readonly height: number;
  readonly left: number;
  readonly workgroup: { readonly x: number; readonly y: number; readonly width: number; readonly height: number };
  readonly registers: { readonly x: number; readonly y: number; readonly width: number; readonly height: number };
  readonly bands: readonly Band[];
  readonly labels: readonly FlowLabel[];
  readonly deviceScale: ScaleBar | null;
  readonly workgroupScale: ScaleBar | null;
}

const top = 26;
const boxWidth = 22;
const pitch = 34;
const gap = 10;
/** Pixels that all reads of device memory, and all traffic of workgroup memory, take together. */
const deviceSpan = 150;
const workgroupSpan = 130;

/** Lays out flows in `width` pixels. */
export function layoutFlow(flows: readonly Flow[], width: number): FlowLayout {
  const left = width < 480 ? 92 : 132;
  const middle = Math.round(left + (width - left) * 0.5);
  const right = width - boxWidth - 1;
  const sum = (some: readonly Flow[]): number => some.reduce((total, { bytes }) => total + bytes, 0);
  const reads = flows.filter(({ from }) => from === 'device');
  const writes = flows.filter(({ to }) => to === 'device');
  const inside = flows.filter(({ from, to }) => from !== 'device' && to !== 'device');
  const perDevice = deviceSpan / Math.max(1, sum(reads), sum(writes));
  const perInside = workgroupSpan / Math.max(1, sum(inside));
  const thick = (flow: Flow): number => Math.max(1.5, flow.bytes * (inside.includes(flow) ? perInside : perDevice));
  const stack = (some: readonly Flow[]): number => some.reduce((total, flow) => total + thick(flow) + gap, 0);

  const staged = reads.filter(({ to }) => to === 'workgroup');
  const direct = reads.filter(({ to }) => to === 'registers');
  const boxHeight = Math.max(56, stack(staged), stack(inside)) + gap;
  const workgroup = { x: middle, y: top, width: boxWidth, height: boxHeight };
  const bands: Band[] = [];
  const labels: FlowLabel[] = [];
  const starts = nodeStarts(reads, thick, labels);
  let y = top + (boxHeight - stack(staged) + gap) / 2;
  for (const flow of staged) {
    bands.push(band(flow, starts.get(flow)!, left, y, middle, thick(flow)));
    y += thick(flow) + gap;
  }
  y = top + boxHeight + 2 * gap;
  for (const flow of direct) {
    bands.push(band(flow, starts.get(flow)!, left, y, right, thick(flow)));
    y += thick(flow) + gap;
  }
  const readsEnd = Math.max(y, ...labels.map((label) => label.y + pitch / 2)) + gap;
  y = top + (boxHeight - stack(inside) + gap) / 2;
  for (const flow of inside) {
    const [from, to] = flow.from === 'workgroup' ? [middle + boxWidth, right] : [right, middle + boxWidth];
    bands.push(band(flow, y, from, y, to, thick(flow)));
    y += thick(flow) + gap;
  }
  y = readsEnd;
  for (const flow of writes) {
    const size = thick(flow);
    const row = Math.max(pitch, size + gap);
    const at = y + (row - size) / 2;
    bands.push(band(flow, at, right, at, left, size));
    labels.push(labelOf(flow, y + row / 2));
    y += row;
  }
  const bottom = y + gap;
  return {
    width,
    height: Math.ceil(bottom + 22),
    left,
    workgroup,
    registers: { x: right, y: top, width: boxWidth, height: bottom - top },
    bands: flows.map((flow) => bands.find((item) => item.flow === flow)!),
    labels,
    deviceScale: reads.length + writes.length > 0 ? scaleBar(perDevice) : null,
    workgroupScale: inside.length > 0 ? scaleBar(perInside) : null,
  };
}

/** Tops of the reads at the left edge: the parts of one tensor lie together, around its name. */
function nodeStarts(
  reads: readonly Flow[],
  thick: (flow: Flow) => number,
  labels: FlowLabel[],
): ReadonlyMap<Flow, number> {
  const starts = new Map<Flow, number>();
  let y = top;
  for (const name of new Set(reads.map((flow) => flow.name))) {
    const parts = reads.filter((flow) => flow.name === name);
    const size = parts.reduce((total, flow) => total + thick(flow), 0);
    const row = Math.max(pitch, size + gap);
    let at = y + (row - size) / 2;
    for (const flow of parts) {
      starts.set(flow, at);
      at += thick(flow);
    }
    const whole = parts.reduce((total, flow) => ({
      ...total,
      bytes: total.bytes + flow.bytes,
      compulsoryBytes: total.compulsoryBytes + flow.compulsoryBytes,
    }));
    labels.push(labelOf(whole, y + row / 2));
    y += row;
  }
  return starts;
}

function labelOf({ name, hue, bytes, compulsoryBytes }: Flow, y: number): FlowLabel {
  return { name: name ?? '', hue, y, bytes, compulsoryBytes };
}

function band(flow: Flow, y0: number, x0: number, y1: number, x1: number, size: number): Band {
  const backwards = x1 < x0;
  const tip = backwards ? x1 + 7 : x1 - 7;
  const core =
    flow.compulsoryBytes > 0 ? Math.min(size, Math.max(1.25, (flow.compulsoryBytes / flow.bytes) * size)) : 0;
  const inset = (size - core) / 2;
  const point = Math.max(5, size / 2 + 2);
  const centre = y1 + size / 2;
  return {
    flow,
    path: areaPath({ x: x0, y0, y1: y0 + size }, { x: tip, y0: y1, y1: y1 + size }),
    core:
      core > 0
        ? areaPath({ x: x0, y0: y0 + inset, y1: y0 + size - inset }, { x: tip, y0: y1 + inset, y1: y1 + size - inset })
        : null,
    head: `M${tip},${centre - Math.min(point, size / 2 + 4)}L${x1},${centre}L${tip},${centre + Math.min(point, size / 2 + 4)}z`,
    textX: (x0 + x1) / 2,
    textY: (y0 + y1) / 2 + size / 2,
  };
}

function areaPath(from: End, to: End): string {
  const middle = (from.x + to.x) / 2;
  return (
    `M${from.x},${from.y0}C${middle},${from.y0} ${middle},${to.y0} ${to.x},${to.y0}` +
    `L${to.x},${to.y1}C${middle},${to.y1} ${middle},${from.y1} ${from.x},${from.y1}z`
  );
}

/** The power of two of bytes that is nearest to ten pixels wide. */
function scaleBar(pixelsPerByte: number): ScaleBar {
  const bytes = 2 ** Math.max(0, Math.round(Math.log2(10 / pixelsPerByte)));
  return { bytes, pixels: bytes * pixelsPerByte };
}
