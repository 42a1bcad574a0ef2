import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DeviceInfo, LabFailure, Progress } from '../lab/contract.js';
import { NativeHost } from '../native/host.js';
import { settings, type Paint } from './text.js';
import { exitCodes, type ExitCode } from './usage.js';

/** What every command works with: the lab's process, and where words go. */
export interface Session {
  readonly host: NativeHost;
  readonly paint: Paint;
  /** Writes a line for people or programs to standard output. */
  readonly print: (line: string) => void;
  /** Writes a line about the run itself to standard error. */
  readonly note: (line: string) => void;
  /** Shows progress on a terminal's last line; nothing elsewhere. Null clears it. */
  readonly progress: (progress: Progress | null) => void;
}

/** Opens a session over the bundled native process beside this program. */
export function openSession(paint: Paint, verbose: boolean): Session {
  const { stdout, stderr } = process;
  const clear = (): void => {
    if (stderr.isTTY) stderr.write('\r\u001b[K');
  };
  const note = (line: string): void => {
    clear();
    stderr.write(`${line}\n`);
  };
  const host = new NativeHost({
    entry: join(dirname(fileURLToPath(import.meta.url)), 'native.js'),
    notify: note,
    verbose,
  });
  return {
    host,
    paint,
    print: (line) => {
      clear();
      stdout.write(`${line}\n`);
    },
    note,
    progress: (progress) => {
      clear();
      if (progress === null || !stderr.isTTY) return;
      const share = progress.fraction === null ? '' : ` ${Math.round(100 * progress.fraction)} %`;
      stderr.write(paint.faint(`${progress.message}${share}`.slice(0, (stderr.columns || 80) - 1)));
    },
  };
}

/** A failure in lines for people. */
export function failureLines({ message, remedy }: LabFailure): string[] {
  return remedy === null ? [message] : [message, remedy];
}

/** The exit code a failure calls for: no device to run on, or a kernel that does not do what it should. */
export function failureCode({ kind }: LabFailure): ExitCode {
  return kind === 'no-device' ? exitCodes.noDevice : exitCodes.wrong;
}

/** The adapter in one line, with a warning where it is software. */
export function adapterLine(device: DeviceInfo, paint: Paint): string {
  const names = [device.vendor, device.architecture, device.description || device.device].filter(Boolean).join(' · ');
  if (device.host === 'simulator') return `${names}, subgroups of ${device.subgroupMinSize ?? '?'}`;
  return device.software ? `${names} ${paint.warn('(software adapter)')}` : names;
}

/** The adapter as the JSON output names it. */
export function adapterJson(device: DeviceInfo): Readonly<Record<string, unknown>> {
  const { vendor, architecture, description, software, host } = device;
  return { vendor, architecture, description, software, simulated: host === 'simulator' };
}

/** Shape and options of a case in one line. */
export function caseLine(shape: Readonly<Record<string, unknown>>, options: Readonly<Record<string, unknown>>): string {
  return [settings(shape), settings(options)].filter(Boolean).join(' · ');
}
