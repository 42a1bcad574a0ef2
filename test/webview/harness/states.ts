import type { PanelSnapshot } from '../../../src/lab/panel.js';
import { flashTrace, largeTrace } from './flash-trace.js';
import { lightningTrace } from './lightning-trace.js';
import {
  benchmarkReport,
  compareReport,
  consistencyReport,
  failure,
  idle,
  kept,
  kernel,
  runReport,
  softwareGpu,
} from './fixtures.js';

const flashKernel = {
  ...kernel,
  uri: 'file:///work/shaders/softmax/flash.wgsl',
  name: 'flash.wgsl',
  mechanismTitle: 'Softmax Attention',
};

const simulator = { ...softwareGpu, host: 'simulator', subgroupMinSize: 32 } as const;

/** The states of the panel by name, for tests and for pictures. */
export const states: Readonly<Record<string, () => PanelSnapshot>> = {
  'no-kernel': () => ({ ...idle, kernel: null, device: null }),
  idle: () => idle,
  right: () => ({ ...idle, compare: kept(compareReport(false)), benchmark: kept(benchmarkReport()) }),
  wrong: () => ({ ...idle, compare: kept(compareReport(true)) }),
  simulated: () => ({ ...idle, compare: kept({ ...compareReport(true), device: simulator }) }),
  inconsistent: () => ({ ...idle, consistency: kept(consistencyReport()) }),
  stale: () => ({ ...idle, compare: kept(compareReport(false), true), benchmark: kept(benchmarkReport(), true) }),
  running: () => ({ ...idle, running: 'compare', compare: kept(compareReport(false), true) }),
  ran: () => ({ ...idle, run: kept(runReport) }),
  benchmark: () => ({
    ...idle,
    tab: 'benchmark',
    compare: kept(compareReport(false)),
    benchmark: kept(benchmarkReport()),
  }),
  'software-benchmark': () => ({
    ...idle,
    tab: 'benchmark',
    compare: kept(compareReport(false, softwareGpu)),
    benchmark: kept(benchmarkReport(softwareGpu)),
    device: softwareGpu,
  }),
  withheld: () => ({ ...idle, tab: 'benchmark', compare: kept(compareReport(true)) }),
  'schedule-empty': () => ({ ...idle, tab: 'schedule' }),
  schedule: () => ({ ...idle, tab: 'schedule', kernel: flashKernel, trace: kept(flashTrace()), cursorLine: 206 }),
  'schedule-lightning': () => ({ ...idle, tab: 'schedule', trace: kept(lightningTrace()) }),
  'schedule-missed': () => ({ ...idle, tab: 'schedule', kernel: flashKernel, trace: kept(flashTrace('missed')) }),
  'schedule-stale': () => ({ ...idle, tab: 'schedule', kernel: flashKernel, trace: kept(flashTrace(), true) }),
  'schedule-large': () => ({ ...idle, tab: 'schedule', kernel: flashKernel, trace: kept(largeTrace()) }),
  traffic: () => ({ ...idle, tab: 'traffic', kernel: flashKernel, trace: kept(flashTrace()) }),
  'traffic-lightning': () => ({ ...idle, tab: 'traffic', trace: kept(lightningTrace()) }),
  untrusted: () => ({ ...idle, trusted: false, device: null }),
  problems: () => ({
    ...idle,
    kernel: {
      ...kernel,
      problems: [
        {
          code: 'unknown-mechanism',
          severity: 'error',
          span: { start: 18, end: 37 },
          message: 'There is no mechanism "lightening-attention".',
          remedy: 'Did you mean "lightning-attention"?',
          line: 2,
          column: 12,
        },
        {
          code: 'unused-binding',
          severity: 'warning',
          span: { start: 300, end: 306 },
          message: 'The binding "slopes" is never read.',
          remedy: null,
          line: 14,
          column: 40,
        },
      ],
    },
  }),
  'no-gpu': () => ({
    ...idle,
    device: null,
    failure: {
      job: 'compare',
      failure: failure(
        'no-device',
        'This window has no WebGPU.',
        'On Linux start VS Code with --enable-unsafe-webgpu.',
      ),
    },
  }),
  'compile-error': () => ({
    ...idle,
    failure: {
      job: 'compare',
      failure: {
        kind: 'compile-error',
        message: 'The driver found 1 error in the shader.',
        remedy: 'Fix it in the file; the place is shown in the editor too.',
        diagnostics: [
          {
            code: 'driver',
            severity: 'error',
            span: { start: 812, end: 830 },
            message: "cannot initialize 'let' of type 'f32' with value of type 'u32'",
            remedy: null,
          },
        ],
      },
    },
  }),
  timeout: () => ({
    ...idle,
    compare: kept(compareReport(false), true),
    failure: {
      job: 'compare',
      failure: failure(
        'timeout',
        'The kernel did not end within 10 s (pass "forward", 64 workgroups).',
        'Look for a loop whose counter does not grow. The device was replaced; the next run works.',
      ),
    },
  }),
};
