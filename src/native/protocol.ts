import type { LabMethods } from '../lab/contract.js';

/** What the native process answers: a lab's methods. It asks nothing back. */
export type NativeMethods = LabMethods;

/** The native process posts this every `heartbeatMs`, beside the channel's own messages; silence means that it hangs. */
export interface Heartbeat {
  readonly heartbeat: true;
}

/** Milliseconds between two heartbeats. */
export const heartbeatMs = 1000;

/** True for a heartbeat. */
export function isHeartbeat(message: unknown): message is Heartbeat {
  return typeof message === 'object' && message !== null && 'heartbeat' in message;
}
