import type { Port } from '../lab/channel.js';

/** What VS Code gives a webview, once. */
interface VsCodeApi {
  postMessage(message: unknown): void;
  getState(): unknown;
  setState(state: unknown): void;
}

declare function acquireVsCodeApi(): VsCodeApi;

/** The page's two ties to its window: a port to the extension, and a state that outlives a reload. */
export interface WindowTies {
  readonly port: Port;
  readonly loadState: () => unknown;
  readonly saveState: (state: unknown) => void;
}

/** Acquires VS Code's API; may be called once per page. */
export function acquireWindow(): WindowTies {
  const api = acquireVsCodeApi();
  return {
    port: {
      post: (message) => api.postMessage(message),
      listen: (receive) => {
        const onMessage = (event: MessageEvent<unknown>): void => receive(event.data);
        window.addEventListener('message', onMessage);
        return () => window.removeEventListener('message', onMessage);
      },
    },
    loadState: () => api.getState(),
    saveState: (state) => api.setState(state),
  };
}
