/**
 * The few names this layer takes from its platform, which every host of a lab has: a browser, a worker, Node.
 * Declared here so that neither the DOM nor Node can be used by accident.
 */
interface EventTargetLike {
  addEventListener(type: 'abort', listener: () => void, options?: { once?: boolean }): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

interface AbortSignal extends EventTargetLike {
  readonly aborted: boolean;
  readonly reason: unknown;
  throwIfAborted(): void;
}

declare class AbortController {
  readonly signal: AbortSignal;
  abort(reason?: unknown): void;
}

declare class DOMException extends Error {
  constructor(message?: string, name?: string);
}

declare function setTimeout(callback: () => void, milliseconds?: number): number;
declare function clearTimeout(handle: number): void;
declare const performance: { now(): number };
