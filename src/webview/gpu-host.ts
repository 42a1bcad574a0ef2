import { attempt, fault, type GpuResult } from '../gpu/failure.js';
import { openDevice, type OpenDevice } from '../gpu/device.js';
import type { CallContext, Handlers } from '../lab/channel.js';
import type { LabMethods, Progress } from '../lab/contract.js';
import { createLab, type Lab } from '../lab/lab.js';
import type { SimulatorHost } from '../lab/simulator.js';
import { t } from './strings.js';

/** A lab on the window's own WebGPU, which is the GPU of the machine the user sits at, and on a simulator. */
export function createPageLab(simulator: SimulatorHost): Lab {
  return createLab(acquire, simulator, 'webview');
}

/** Opens the window's GPU, or says what the user can do where the window has none. */
function acquire(): Promise<GpuResult<OpenDevice>> {
  return attempt(async () => {
    if (!('gpu' in navigator)) {
      throw fault(
        'no-device',
        t('This window has no WebGPU.'),
        window.isSecureContext
          ? t('Use VS Code 1.90 or newer, or a browser with WebGPU; on Linux start it with --enable-unsafe-webgpu.')
          : t('WebGPU needs a secure context: open the workbench over https or on localhost.'),
      );
    }
    const opened = await openDevice(navigator.gpu);
    if (opened.ok) return opened.value;
    throw fault(
      opened.failure.kind,
      opened.failure.message,
      opened.failure.remedy ??
        t('Update the graphics driver. On Linux start VS Code with --enable-unsafe-webgpu --enable-features=Vulkan.'),
    );
  });
}

/** Lets the page see the progress of the jobs it serves to the extension. `null` means that none is under way. */
export function observed(lab: Handlers<LabMethods>, show: (progress: Progress | null) => void): Handlers<LabMethods> {
  const watching = (context: CallContext): CallContext => ({
    signal: context.signal,
    report: (progress) => {
      show(progress);
      context.report(progress);
    },
  });
  const ending = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } finally {
      show(null);
    }
  };
  return {
    device: lab.device,
    check: lab.check,
    verify: lab.verify,
    run: (params, context) => ending(lab.run(params, watching(context))),
    compare: (params, context) => ending(lab.compare(params, watching(context))),
    compareSimulated: (params, context) => ending(lab.compareSimulated(params, watching(context))),
    consistency: (params, context) => ending(lab.consistency(params, watching(context))),
    consistencySimulated: (params, context) => ending(lab.consistencySimulated(params, watching(context))),
    benchmark: (params, context) => ending(lab.benchmark(params, watching(context))),
    trace: (params, context) => ending(lab.trace(params, watching(context))),
    hazards: (params, context) => ending(lab.hazards(params, watching(context))),
    values: (params, context) => ending(lab.values(params, watching(context))),
  };
}
