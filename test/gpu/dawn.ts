import { openDevice, type OpenDevice } from '../../src/gpu/device.js';
import { dawnFlags, keep, loadDawn } from '../../src/native/dawn.js';
import { driverIsChosen, findSoftwareDriver, softwareDriverEnvironment } from '../../src/native/driver.js';

let opened: Promise<OpenDevice | null> | null = null;

/**
 * The device of the GPU suites: this machine's GPU, else a software adapter. Without either the suites fail, unless
 * TILESCOPE_ALLOW_NO_GPU=1 allows them to be left out; null then, and it is said aloud.
 */
export function testDevice(): Promise<OpenDevice | null> {
  opened ??= open();
  return opened;
}

async function open(): Promise<OpenDevice | null> {
  process.env.XDG_RUNTIME_DIR ??= '/tmp';
  const first = await openDevice(await loadDawn(dawnFlags(process.env.TILESCOPE_DAWN_FLAGS)));
  const result = first.ok || driverIsChosen(process.env) ? first : await openSoftware();
  if (result.ok) {
    keep(result.value.adapter, result.value.device);
    return result.value;
  }
  if (process.env.TILESCOPE_ALLOW_NO_GPU === '1') {
    console.warn('SKIPPED for want of a GPU, as TILESCOPE_ALLOW_NO_GPU=1 allows:', result.failure.message);
    return null;
  }
  throw new Error(`${result.failure.message} The GPU suites need one; TILESCOPE_ALLOW_NO_GPU=1 leaves them out.`);
}

async function openSoftware(): ReturnType<typeof openDevice> {
  const driver = findSoftwareDriver();
  if (driver) Object.assign(process.env, softwareDriverEnvironment(driver, process.env));
  return openDevice(await loadDawn(dawnFlags(undefined)));
}

/** How long the tests wait for a device that may be a busy CPU. */
export const patience = { timeoutMs: 120_000, signal: null } as const;
