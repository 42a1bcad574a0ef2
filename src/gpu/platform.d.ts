/**
 * The few names this layer takes from its platform, which a browser, a worker and Node all have.
 * Declared here so that neither the DOM nor Node can be used by accident.
 */
interface AbortSignal {
  readonly aborted: boolean;
  addEventListener(type: 'abort', listener: () => void, options?: { once?: boolean }): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

declare function setTimeout(callback: () => void, milliseconds?: number): number;
declare function clearTimeout(handle: number): void;
declare const performance: { now(): number };
