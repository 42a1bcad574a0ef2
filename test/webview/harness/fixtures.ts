import type { ErrorMap, TensorVerdict, WorstElement } from '../../../src/core/numerics/verdict.js';
import type {
  BenchmarkReport,
  CaseVerdict,
  CompareReport,
  ConsistencyReport,
  DeviceInfo,
  LabFailure,
  RunReport,
} from '../../../src/lab/contract.js';
import type { Kept, PanelKernel, PanelSnapshot } from '../../../src/lab/panel.js';

/** A fixed moment, so that pictures of the page do not change with the day. */
const at = Date.UTC(2026, 10, 22, 12, 4);
const hash = '3f2ac81e90b7d455';
const shape = { batch: 1, heads: 8, seqlen: 512, headDim: 64, headDimV: 64 };
const options = { slopeKind: 'alibi', layer: 0, layers: 24, scale: 1 };
const rowsPerCell = 2;

/** A GPU as a driver describes it. */
export const gpu: DeviceInfo = {
  vendor: 'nvidia',
  architecture: 'hopper',
  description: 'NVIDIA H200',
  device: '',
  software: false,
  host: 'webview',
  features: ['timestamp-query', 'shader-f16', 'subgroups'],
  limits: { maxComputeWorkgroupStorageSize: 49152 },
  timestamps: true,
  subgroupMinSize: 32,
  subgroupMaxSize: 32,
};

/** A software adapter. */
export const softwareGpu: DeviceInfo = {
  ...gpu,
  vendor: 'google',
  architecture: 'swiftshader',
  description: '',
  software: true,
};

/** A kernel with every kind of field. */
export const kernel: PanelKernel = {
  uri: 'file:///work/shaders/lightning/lightning2.wgsl',
  name: 'lightning2.wgsl',
  hash,
  mechanismTitle: 'Lightning Attention',
  direction: 'forward',
  dimensions: [
    { name: 'batch', value: 1, fileValue: 1, follows: null, description: 'Independent sequences.' },
    { name: 'heads', value: 8, fileValue: 8, follows: null, description: 'Attention heads.' },
    { name: 'seqlen', value: 512, fileValue: 2048, follows: null, description: 'Tokens of a sequence.' },
    { name: 'headDim', value: 64, fileValue: 64, follows: null, description: 'Width of a head of q and k.' },
    { name: 'headDimV', value: 64, fileValue: 64, follows: 'headDim', description: 'Width of a head of v and o.' },
  ],
  options: [
    {
      name: 'slopeKind',
      kind: 'choice',
      choices: ['alibi', 'minimax', 'linear'],
      value: 'alibi',
      fileValue: 'alibi',
      description: 'How the decay differs from head to head.',
      taken: true,
    },
    { name: 'scale', kind: 'number', choices: [], value: 1, fileValue: 1, description: 'Factor on q.', taken: true },
    {
      name: 'causal',
      kind: 'boolean',
      choices: [],
      value: true,
      fileValue: true,
      description: 'Masks the future.',
      taken: false,
    },
    {
      name: 'window',
      kind: 'window',
      choices: [],
      value: [-1, -1],
      fileValue: [-1, -1],
      description: 'Keys in sight.',
      taken: false,
    },
  ],
  problems: [],
};

/** A number between 0 and 1 that depends on its arguments alone. */
function noise(a: number, b = 0, c = 0): number {
  const value = Math.sin(a * 12.9898 + b * 78.233 + c * 37.719) * 43758.5453;
  return value - Math.floor(value);
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

/** An error map of a right kernel, or of one that goes wrong from row 130 of head 2 on, with every other fault too. */
function errorMap(broken: boolean): ErrorMap {
  const cellRows = shape.seqlen / rowsPerCell;
  const cellColumns = shape.headDimV;
  const errors = new Float32Array(shape.heads * cellRows * cellColumns);
  const states = new Uint8Array(errors.length);
  for (let head = 0; head < shape.heads; head++) {
    for (let row = 0; row < cellRows; row++) {
      for (let column = 0; column < cellColumns; column++) {
        const i = (head * cellRows + row) * cellColumns + column;
        const grown = 1e-8 * (1 + row / 12) * 10 ** (1.3 * noise(head, row, column));
        const token = row * rowsPerCell;
        const wrong = broken && head >= 2 && head < 6 && token >= 128 && (token % 64 < 40 || column < 40);
        errors[i] = wrong ? 0.02 * 10 ** (1.4 * noise(column, row, head)) * (0.5 + (token % 64) / 64) : grown;
        if (!broken) continue;
        if (head === 3 && token >= 320 && token < 384) states[i] = 3;
        if (head === 3 && token >= 192 && token < 224 && column >= 32) states[i] = 1;
        if (head === 3 && token >= 256 && token < 272 && column < 16) states[i] = 2;
        if (head === 7 && token >= 448) states[i] = 4;
        if (states[i] !== 0) errors[i] = states[i] === 4 ? -1 : 0;
      }
    }
  }
  return {
    planeDims: [
      { name: 'batch', size: 1 },
      { name: 'heads', size: shape.heads },
    ],
    rowName: 'seqlen',
    columnName: 'headDimV',
    rows: shape.seqlen,
    columns: shape.headDimV,
    rowsPerCell,
    columnsPerCell: 1,
    cellRows,
    cellColumns,
    errors: base64(new Uint8Array(errors.buffer)),
    states: base64(states),
  };
}

function worstElements(broken: boolean): readonly WorstElement[] {
  return Array.from({ length: 10 }, (_, place) => {
    const column = (place * 7 + 5) % 64;
    const reference = Array.from({ length: 64 }, (_, d) => Math.sin(d / 5 + place) + 0.3 * noise(d, place));
    const candidate = reference.map((value, d) =>
      broken
        ? place === 0 && d > 40 && d < 46
          ? null
          : value * (d > 20 ? 0.78 : 1) + 0.1 * noise(d, 9)
        : value + 2e-7 * noise(d),
    );
    const found = candidate[column] ?? null;
    const value = reference[column]!;
    return {
      index: [0, broken ? 2 + (place % 4) : place % 8, 130 + place * 3, column],
      state: found === null ? 'nan' : 'ok',
      reference: value,
      bound: 2.4e-3,
      candidate: found,
      error: found === null ? null : Math.abs(found - value),
      ulp: found === null ? null : broken ? 2_400_123 - place * 1000 : 3,
      row: { reference, candidate },
    } as const;
  });
}

/** The verdict on an output tensor, right or wrong. */
export function tensorVerdict(name: string, broken: boolean, withMap = true): TensorVerdict {
  return {
    name,
    dims: [1, 8, 512, 64],
    dimNames: ['batch', 'heads', 'seqlen', 'headDimV'],
    passed: !broken,
    sentence: broken
      ? `${name} differs from row 130 on, first in head 2: 0.31 where 2.4e-3 is allowed.`
      : `${name} is right: RMS ratio 2.1e-7 of 2e-5 allowed.`,
    tolerance: { kind: 'ratio', bound: 2e-5 },
    elements: 262_144,
    compared: broken ? 258_048 : 262_144,
    maxAbs: broken ? 0.31 : 4.2e-7,
    maxReference: 1.2,
    rmsRatio: broken ? 0.184 : 2.1e-7,
    bound: 2e-5,
    maxUlp: broken ? 2_400_123 : 7,
    timesNaive: broken ? 861_003 : 1.3,
    nan: broken ? 1024 : 0,
    infinite: broken ? 256 : 0,
    unwritten: broken ? 4096 : 0,
    guardsTouched: 0,
    wrong: broken ? 81_344 : 0,
    firstWrong: broken ? [0, 2, 130, 0] : null,
    worst: worstElements(broken),
    histogram: {
      from: -10,
      binsPerDecade: 4,
      counts: Array.from({ length: broken ? 40 : 15 }, (_, bin) =>
        Math.round(
          30_000 * Math.exp(-(((bin - 8) / 3) ** 2)) + (broken ? 8000 * Math.exp(-(((bin - 34) / 2.5) ** 2)) : 0),
        ),
      ),
      exact: 21_034,
    },
    map: withMap ? errorMap(broken) : null,
  };
}

function caseVerdict(
  name: string,
  change: Readonly<Record<string, number>>,
  broken: boolean,
  withMap: boolean,
): CaseVerdict {
  const tensors = [tensorVerdict('o', broken, withMap), tensorVerdict('s', false, false)];
  return {
    name,
    shape: { ...shape, ...change },
    options,
    passed: !broken,
    sentence: tensors[0]!.sentence,
    tensors,
    failure: null,
    sampled: broken,
    repeatable: true,
  };
}

const grid: readonly (readonly [string, Readonly<Record<string, number>>])[] = [
  ['file shape', {}],
  ['one token', { seqlen: 1 }],
  ['tile less one', { seqlen: 63 }],
  ['one tile', { seqlen: 64 }],
  ['tile and one', { seqlen: 65 }],
  ['no multiple', { seqlen: 300, heads: 3 }],
  ['narrow values', { headDimV: 32 }],
  ['two batches', { batch: 2, seqlen: 130 }],
  ['one head', { heads: 1 }],
];

/** Cases whose maps are kept: a report must stay small. */
const withMaps = ['file shape', 'tile less one', 'one tile', 'tile and one'];

/** A comparison over the whole grid, right or wrong in some cases, with one case that could not run. */
export function compareReport(broken: boolean, device: DeviceInfo = gpu): CompareReport {
  const cases = grid.map(([name, change]) =>
    caseVerdict(
      name,
      change,
      broken && !['one token', 'tile less one', 'one tile'].includes(name),
      withMaps.includes(name),
    ),
  );
  const wide: CaseVerdict = {
    ...caseVerdict('wide head', { headDim: 256 }, true, false),
    tensors: [],
    sentence: 'headDim 256 needs 64 KiB of workgroup memory; this adapter has 48 KiB.',
    failure: failure('limits-exceeded', 'headDim 256 needs 64 KiB of workgroup memory; this adapter has 48 KiB.'),
  };
  const all = broken ? [...cases, wide] : cases;
  const wrong = all.filter((item) => !item.passed).length;
  return {
    hash,
    kernel: 'lightning2.wgsl',
    mechanism: 'lightning-attention',
    direction: 'forward',
    passed: !broken,
    sentence: broken
      ? `Wrong in ${wrong} of ${all.length} cases. o differs from row 130 on, first in head 2: 0.31 where 2.4e-3 is allowed.`
      : 'Right in all 9 cases: o is within 2.1e-7 of the reference (2e-5 allowed), 1.3 × the error of naive f32.',
    cases: all,
    seed: 1,
    device,
    tiles: [
      { name: 'TILE_M', size: 64 },
      { name: 'TILE_V', size: 32 },
    ],
    elapsedMs: 812,
  };
}

/** A benchmark of a kernel of three passes. */
export function benchmarkReport(device: DeviceInfo = gpu): BenchmarkReport {
  const samples = Array.from(
    { length: 60 },
    (_, i) => 1_810_000 + 90_000 * noise(i) ** 2 + (i % 17 === 3 ? 120_000 : 0),
  );
  const sorted = samples.toSorted((a, b) => a - b);
  return {
    hash,
    kernel: 'lightning2.wgsl',
    mechanism: 'lightning-attention',
    direction: 'forward',
    shape,
    options,
    gpuTimeNs: { median: sorted[30]!, p20: sorted[12]!, p80: sorted[48]!, samples },
    clock: 'timestamps',
    resolutionNs: 32,
    runsPerSample: 16,
    warmupSamples: 12,
    settled: !device.software,
    flops: 6.98e9,
    compulsoryBytes: 16_908_288,
    passes: [
      { entry: 'chunk_states', medianNs: 412_000 },
      { entry: 'scan_states', medianNs: 96_000 },
      { entry: 'outputs', medianNs: 1_330_000 },
    ],
    verdict: caseVerdict('file shape', {}, false, false),
    device,
  };
}

/** A first look at the outputs of one run. */
export const runReport: RunReport = {
  hash,
  kernel: 'lightning2.wgsl',
  shape,
  options,
  gpuTimeNs: 1_910_000,
  outputs: [
    {
      name: 'o',
      dims: [1, 8, 512, 64],
      min: -3.1,
      max: 2.94,
      mean: 0.0013,
      nan: 0,
      infinite: 0,
      unwritten: 128,
      head: [0.12, -0.4, 1.7, null],
    },
    {
      name: 's',
      dims: [1, 8, 64, 64],
      min: -11.2,
      max: 12.8,
      mean: -0.02,
      nan: 4,
      infinite: 0,
      unwritten: 0,
      head: [1.5, 2.25, -0.125, 4],
    },
  ],
  device: gpu,
};

/** Two checks between kernels, of which the second fails in one of two tensors. */
export function consistencyReport(): ConsistencyReport {
  const { cases, device } = compareReport(true);
  const [right, wrong] = [true, false].map((passes) => cases.find(({ passed }) => passed === passes)!.tensors[0]!);
  const about = { shape: {}, options: {}, failure: null, kernels: ['lightning2.wgsl', 'decode.wgsl'] };
  return {
    hash: idle.kernel!.hash,
    mechanism: 'lightning-attention',
    kernels: about.kernels.map((name) => ({ name, hash: 'h', direction: 'forward' })),
    passed: false,
    sentence: 'Inconsistent in 1 of 2 checks.',
    checks: [
      {
        ...about,
        kind: 'resume',
        title: 'lightning2: 91 tokens, then 28 from its state',
        passed: true,
        sentence: '',
        tensors: [right!, { ...right!, name: 's' }],
      },
      {
        ...about,
        kind: 'decode',
        title: 'lightning2: 91 tokens, then decode token by token',
        passed: false,
        sentence: 'o differs from row 91 on.',
        tensors: [wrong!, { ...right!, name: 's' }],
      },
    ],
    skipped: [{ kernel: 'backward.wgsl', reason: 'it computes gradients.' }],
    seed: 1,
    device,
    elapsedMs: 1,
  };
}

/** A failure of a kind. */
export function failure(kind: LabFailure['kind'], message: string, remedy: string | null = null): LabFailure {
  return { kind, message, remedy, diagnostics: [] };
}

/** A result as the extension keeps it. */
export function kept<T>(report: T, stale = false): Kept<T> {
  return { report, at, stale };
}

/** A panel with a kernel and nothing done to it. */
export const idle: PanelSnapshot = {
  kernel,
  tab: 'compare',
  running: null,
  run: null,
  compare: null,
  benchmark: null,
  trace: null,
  hazards: null,
  consistency: null,
  cursorLine: null,
  failure: null,
  device: gpu,
  trusted: true,
  strings: {},
};
