import type { OpenDevice } from '../gpu/device.js';
import type { GpuResult } from '../gpu/failure.js';
import { unwrap } from './failure.js';

/** How long a device may take to finish what a cancelled job had handed it before it is given up. */
const drainMs = 1000;

/**
 * The one device of a lab: opened when first needed, opened anew after it was lost or given up.
 * `abandon` gets rid of a device that no longer answers.
 */
export class DeviceSession {
  private current: OpenDevice | null = null;

  constructor(
    private readonly acquire: () => Promise<GpuResult<OpenDevice>>,
    private readonly abandon: (open: OpenDevice) => void,
  ) {}

  /** The open device; throws `no-device` where none can be had. */
  async device(): Promise<OpenDevice> {
    if (this.current?.isLost()) this.current = null;
    this.current ??= unwrap(await this.acquire());
    return this.current;
  }

  /** Gives up the device: it hangs, or what it does next cannot be trusted. */
  discard(): void {
    const open = this.current;
    this.current = null;
    if (open && !open.isLost()) this.abandon(open);
  }

  /** After a cancelled job: keeps the device if it soon finishes what it was doing, else gives it up. */
  async drain(): Promise<void> {
    const open = this.current;
    if (!open || open.isLost()) return;
    const idle = open.device.queue.onSubmittedWorkDone().then(
      () => true,
      () => false,
    );
    let timer: number | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), drainMs);
    });
    const inTime = await Promise.race([idle, late, open.lost.then(() => false)]);
    clearTimeout(timer!);
    if (!inTime) this.discard();
  }
}
