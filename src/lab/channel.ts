import type { Progress } from './contract.js';

/** Version of the envelope below; both ends must agree. */
const envelopeVersion = 1;

/** One end of a two-way message path: a webview, a worker or a child process. */
export interface Port {
  readonly post: (message: unknown) => void;
  /** Calls `receive` for each message that arrives; the returned function stops it. */
  readonly listen: (receive: (message: unknown) => void) => () => void;
}

/** What a method is given beside its parameters. */
export interface CallContext {
  /** Aborted when the caller cancels or the channel closes. */
  readonly signal: AbortSignal;
  readonly report: (progress: Progress) => void;
}

/** What a caller may add to a call. */
export interface CallOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
}

type Method = (params: never) => Promise<unknown>;

/** The shape of an interface of methods: each takes one parameter object and returns a promise. */
export type Methods<T> = { readonly [K in keyof T]: Method };

/** The implementation of an interface of methods: each method also gets the call's context. */
export type Handlers<T extends Methods<T>> = {
  readonly [K in keyof T]: (params: Parameters<T[K]>[0], context: CallContext) => ReturnType<T[K]>;
};

type Envelope = { readonly tilescope: typeof envelopeVersion; readonly id: number } & (
  | { readonly type: 'call'; readonly method: string; readonly params: unknown }
  | { readonly type: 'result'; readonly value: unknown }
  | { readonly type: 'error'; readonly name: string; readonly message: string }
  | { readonly type: 'progress'; readonly progress: Progress }
  | { readonly type: 'cancel' }
);

interface OpenCall {
  readonly resolve: (value: unknown) => void;
  readonly reject: (reason: Error) => void;
  readonly onProgress: ((progress: Progress) => void) | null;
  readonly release: () => void;
}

/** The other side answered with an error, or the channel closed while a call was open. */
export class ChannelError extends Error {
  override readonly name = 'ChannelError';
}

/**
 * Calls between two ends of a port, both ways at once: errors, progress and aborts cross it.
 * An unknown method is an error reply; disposing rejects the calls that are open and aborts those being served.
 */
export class Channel<Remote extends Methods<Remote>, Local extends Methods<Local>> {
  private nextId = 1;
  private readonly open = new Map<number, OpenCall>();
  private readonly serving = new Map<number, AbortController>();
  private readonly stopListening: () => void;
  private closed = false;

  constructor(
    private readonly port: Port,
    private readonly handlers: Handlers<Local>,
  ) {
    this.stopListening = port.listen((message) => {
      if (isEnvelope(message)) this.receive(message);
    });
  }

  /** Calls a method of the other end. Rejects with an `AbortError` when cancelled, a `ChannelError` otherwise. */
  async call<K extends keyof Remote & string>(
    method: K,
    params: Parameters<Remote[K]>[0],
    options: CallOptions = {},
  ): Promise<Awaited<ReturnType<Remote[K]>>> {
    if (this.closed) throw new ChannelError(`"${method}" was called on a closed channel.`);
    options.signal?.throwIfAborted();
    const id = this.nextId++;
    const value = await new Promise<unknown>((resolve, reject) => {
      const onAbort = (): void => {
        this.post({ id, type: 'cancel' });
      };
      options.signal?.addEventListener('abort', onAbort, { once: true });
      this.open.set(id, {
        resolve,
        reject,
        onProgress: options.onProgress ?? null,
        release: () => options.signal?.removeEventListener('abort', onAbort),
      });
      this.post({ id, type: 'call', method, params });
    });
    return value as Awaited<ReturnType<Remote[K]>>;
  }

  /** Closes this end. Idempotent. */
  dispose(): void {
    if (this.closed) return;
    this.closed = true;
    this.stopListening();
    for (const controller of this.serving.values()) controller.abort();
    this.serving.clear();
    for (const [id] of [...this.open]) this.settle(id)?.reject(new ChannelError('The other side is gone.'));
  }

  private post(body: EnvelopeBody): void {
    this.port.post({ tilescope: envelopeVersion, ...body });
  }

  private settle(id: number): OpenCall | null {
    const call = this.open.get(id) ?? null;
    this.open.delete(id);
    call?.release();
    return call;
  }

  private receive(message: Envelope): void {
    switch (message.type) {
      case 'call':
        void this.serve(message.id, message.method, message.params);
        return;
      case 'cancel':
        this.serving.get(message.id)?.abort();
        return;
      case 'progress':
        this.open.get(message.id)?.onProgress?.(message.progress);
        return;
      case 'result':
        this.settle(message.id)?.resolve(message.value);
        return;
      case 'error': {
        const error =
          message.name === 'AbortError'
            ? new DOMException(message.message, 'AbortError')
            : new ChannelError(message.message);
        this.settle(message.id)?.reject(error);
      }
    }
  }

  private async serve(id: number, method: string, params: unknown): Promise<void> {
    const controller = new AbortController();
    this.serving.set(id, controller);
    const context: CallContext = {
      signal: controller.signal,
      report: (progress) => {
        if (!this.closed) this.post({ id, type: 'progress', progress });
      },
    };
    try {
      if (!Object.hasOwn(this.handlers, method)) throw new ChannelError(`There is no method "${method}".`);
      // The key is known to exist; its parameters are the other end's promise, held by the shared interface.
      const handler = this.handlers[method as keyof Local] as (
        params: unknown,
        context: CallContext,
      ) => Promise<unknown>;
      const value = await handler(params, context);
      if (!this.closed) this.post({ id, type: 'result', value });
    } catch (error) {
      const { name, message } = error instanceof Error ? error : { name: 'Error', message: String(error) };
      if (!this.closed) this.post({ id, type: 'error', name, message });
    } finally {
      this.serving.delete(id);
    }
  }
}

type EnvelopeBody = Envelope extends infer E ? (E extends unknown ? Omit<E, 'tilescope'> : never) : never;

function isEnvelope(message: unknown): message is Envelope {
  return (
    typeof message === 'object' &&
    message !== null &&
    'tilescope' in message &&
    message.tilescope === envelopeVersion &&
    'type' in message &&
    'id' in message
  );
}
