import { schemaVersion } from '../lab/contract.js';
import { adapterLine, failureCode, failureLines, type Session } from './session.js';
import { bytesText, table } from './text.js';
import { exitCodes, type ExitCode } from './usage.js';

/** Prints the GPU that kernels would run on, with its features and limits. */
export async function deviceCommand(session: Session, json: boolean): Promise<ExitCode> {
  const outcome = await session.host.call('device', null);
  if (!outcome.ok) {
    if (json) session.print(JSON.stringify({ schemaVersion, device: null, failure: outcome.failure }, null, 2));
    else for (const line of failureLines(outcome.failure)) session.note(line);
    return failureCode(outcome.failure);
  }
  const device = outcome.value;
  if (json) {
    session.print(JSON.stringify({ schemaVersion, device }, null, 2));
    return exitCodes.right;
  }
  const { paint } = session;
  const subgroups = device.subgroupMinSize === null ? 'none' : `${device.subgroupMinSize} to ${device.subgroupMaxSize}`;
  session.print(paint.strong(adapterLine(device, paint)));
  const rows = [
    ['features', device.features.join(', ')],
    ['timestamps', device.timestamps ? 'yes: times are measured on the GPU' : 'no: times are measured by wall clock'],
    ['subgroups', subgroups],
    ...Object.entries(device.limits).map(([name, value]) => [
      name,
      name.endsWith('Size') ? bytesText(value) : String(value),
    ]),
  ];
  session.print(
    table(
      rows.map(([name, text]) => [{ text: name!, paint: paint.faint }, { text: text! }]),
      '  ',
    ),
  );
  return exitCodes.right;
}
