import type { ChildProcess } from 'node:child_process';

export interface Workbench {
  /** For example `http://127.0.0.1:41233`. */
  readonly origin: string;
  readonly url: (folder: string, payload?: readonly (readonly [string, string])[]) => string;
  readonly server: ChildProcess;
  readonly stop: () => void;
}

export declare const softwareGpuFlags: readonly string[];

export declare function startWorkbench(options: {
  readonly home: string;
  readonly vsix?: string | null;
  readonly env?: Readonly<Record<string, string>>;
  readonly port?: number;
}): Promise<Workbench>;

export declare function remoteUri(origin: string, path: string): string;
