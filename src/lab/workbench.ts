import type { OpenDevice } from '../gpu/device.js';
import { throwIfCancelled, type Patience } from '../gpu/wait.js';
import type { DeviceInfo, Progress } from './contract.js';

/** What a job works with: the device, how long to wait for it, and who hears about progress. */
export interface Bench {
  readonly open: OpenDevice;
  readonly info: DeviceInfo;
  /** Multiply-adds the reference of one case may cost before rows are sampled. */
  readonly referenceBudget: number;
  /** For what the kernel is asked to do, and for the compiler. */
  readonly patience: Patience;
  readonly compilePatience: Patience;
  readonly report: (progress: Progress) => void;
}

/** Lets the host's other work through (messages, drawing, a cancel), then stops a job that was cancelled meanwhile. */
export async function breathe({ patience }: Bench): Promise<void> {
  await new Promise<void>((resolve) => {
    setTimeout(resolve, 0);
  });
  throwIfCancelled(patience.signal);
}
