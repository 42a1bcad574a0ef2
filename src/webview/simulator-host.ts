import { Channel, type CallContext } from '../lab/channel.js';
import type { LabFailure, Outcome } from '../lab/contract.js';
import { distinctCodes, type SimulatorHost, type SimulatorReports, type WorkerMethods } from '../lab/simulator.js';
import { t } from './strings.js';

type WorkerChannel = Channel<WorkerMethods, Record<string, never>>;

/**
 * A simulator in workers of this page. The content security policy allows no `eval`, so a task takes two of them: the
 * first compiles the kernel to JavaScript, the second has that JavaScript in its own script. A cancel ends the worker,
 * whatever it is about. `scriptUrl` is where the workers' script is fetched from, once.
 */
export function createWorkerSimulator(scriptUrl: string): SimulatorHost {
  let script: Promise<string> | null = null;
  const load = async (): Promise<string> => {
    script ??= fetchText(scriptUrl);
    try {
      return await script;
    } catch (error) {
      script = null;
      throw error;
    }
  };
  return {
    perform: async <K extends keyof SimulatorReports>(
      task: Parameters<SimulatorHost['perform']>[0],
      context: CallContext,
    ): Promise<Outcome<SimulatorReports[K]>> => {
      const options = { onProgress: context.report };
      try {
        const source = await load();
        const prepared = await inWorker(source, context, (channel) => channel.call('compile', { task }, options));
        if (!prepared.ok) return prepared;
        const compiled = prepared.value;
        const answer = await inWorker(withCodes(source, distinctCodes(compiled)), context, (channel) =>
          channel.call('perform', { task, compiled }, options),
        );
        // The worker answers each kind of task with its own report.
        return answer as Outcome<SimulatorReports[K]>;
      } catch (error) {
        return { ok: false, failure: failureOf(error) };
      }
    },
  };
}

/** The address of the workers' script: it lies beside the page's own, which must be the one that is being run. */
export function simulatorScriptUrl(): string {
  const own = document.currentScript;
  return own instanceof HTMLScriptElement ? new URL('simulator.js', own.src).href : 'simulator.js';
}

async function fetchText(url: string): Promise<string> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(t('The simulator could not be loaded (status {0}).', response.status));
  return response.text();
}

/** The workers' script with the codes it is to run before it, as `src/worker` looks them up. */
function withCodes(source: string, codes: readonly string[]): string {
  return `self.tilescopeCodes = [\n${codes.map((code) => `(${code})`).join(',\n')}\n];\n${source}`;
}

/** The answer of a worker to one question. It rejects where the worker fails or the call is cancelled. */
async function inWorker<T>(
  source: string,
  { signal }: CallContext,
  ask: (channel: WorkerChannel) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const url = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
  const worker = new Worker(url);
  const channel: WorkerChannel = new Channel(
    {
      post: (message) => worker.postMessage(message),
      listen: (receive) => {
        const onMessage = (event: MessageEvent<unknown>): void => receive(event.data);
        worker.addEventListener('message', onMessage);
        return () => worker.removeEventListener('message', onMessage);
      },
    },
    {},
  );
  let onAbort = (): void => undefined;
  const ended = new Promise<never>((_, reject) => {
    onAbort = () => reject(new DOMException('The job was cancelled.', 'AbortError'));
    worker.addEventListener('error', (event) => reject(new Error(event.message)));
  });
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([ask(channel), ended]);
  } finally {
    signal.removeEventListener('abort', onAbort);
    channel.dispose();
    worker.terminate();
    URL.revokeObjectURL(url);
  }
}

function failureOf(error: unknown): LabFailure {
  if (error instanceof DOMException && error.name === 'AbortError') {
    return { kind: 'cancelled', message: t('The job was cancelled.'), remedy: null, diagnostics: [] };
  }
  const message = error instanceof Error ? error.message : String(error);
  return {
    kind: 'internal',
    message: t('The simulator failed: {0}', message),
    remedy: t('Try again; if it happens again, please report it with the kernel file.'),
    diagnostics: [],
  };
}
