import { build } from 'esbuild';
import { readFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { MeasuredRate } from '../../../src/core/stack/prediction.js';
import type { PanelSnapshot } from '../../../src/lab/panel.js';
import themes from './themes.json' with { type: 'json' };

/** Serves the built page as VS Code does, with its content security policy; each address has a snapshot of its own. */
export interface PageServer {
  /** Address of a page that starts with this snapshot: of the Kernel Lab, or of another root element. */
  readonly address: (snapshot: PanelSnapshot, theme?: ThemeName, element?: RootElement) => string;
  readonly close: () => Promise<void>;
}

/** The elements that a page can consist of. */
export type RootElement = 'tilescope-lab' | 'tilescope-layers';

/** The themes a page can be shown in. */
export type ThemeName = keyof typeof themes;

/** All of them. */
export const themeNames = Object.keys(themes) as ThemeName[];

interface ContributedColour {
  readonly id: string;
  readonly defaults: Readonly<Record<string, string>>;
}

interface ServedPage {
  readonly snapshot: PanelSnapshot;
  readonly theme: ThemeName;
  readonly element: RootElement;
}

/** Tests and scripts run in the root of the project. */
const root = `${process.cwd()}/`;

/** Builds the page and the player of the extension's side, and serves both. */
export async function servePage(): Promise<PageServer> {
  const [page, simulator, extension] = await Promise.all([
    bundle('src/webview/main.ts'),
    bundle('src/worker/main.ts'),
    bundle('test/webview/harness/extension.ts'),
  ]);
  const snapshots: ServedPage[] = [];
  const files = new Map<string, readonly [string, string | Buffer]>([
    ['/webview.js', ['text/javascript', page]],
    ['/simulator.js', ['text/javascript', simulator]],
    ['/extension.js', ['text/javascript', extension]],
    ['/lab.css', ['text/css', readFileSync(`${root}media/lab.css`)]],
    ['/codicon.css', ['text/css', readFileSync(`${root}node_modules/@vscode/codicons/dist/codicon.css`)]],
    ['/codicon.ttf', ['font/ttf', readFileSync(`${root}node_modules/@vscode/codicons/dist/codicon.ttf`)]],
  ]);
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    const file = files.get(pathname);
    const entry = snapshots[Number(/^\/page\/(\d+)$/.exec(pathname)?.[1] ?? -1)];
    if (file) answer(response, file[0], file[1], {});
    else if (entry) answer(response, 'text/html', html(entry), { 'Content-Security-Policy': policy });
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    address: (snapshot, theme = 'dark', element = 'tilescope-lab') => {
      snapshots.push({ snapshot, theme, element });
      return `http://127.0.0.1:${port}/page/${snapshots.length - 1}`;
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

/** Rates of two kernels, round numbers that were never measured. */
const rates: readonly MeasuredRate[] = [
  { mechanism: 'lightning-attention', kernel: 'lightning2.wgsl', headDim: 128 },
  { mechanism: 'softmax-attention', kernel: 'flash.wgsl', headDim: 128 },
].map((rate) => ({ ...rate, direction: 'forward', flopsPerSecond: 1e13, bytesPerSecond: 1e12 }));

const nonce = '0123456789abcdef';
const policy = [
  "default-src 'none'",
  `script-src 'nonce-${nonce}'`,
  `style-src 'self' 'nonce-${nonce}'`,
  "font-src 'self'",
  "img-src 'self' blob: data:",
  "connect-src 'self'",
  'worker-src blob:',
].join('; ');

function html({ snapshot, theme, element }: ServedPage): string {
  const setup = JSON.stringify({ snapshot, rates, themes: withContributedColours(), theme }).replaceAll('<', '\\u003c');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta property="csp-nonce" content="${nonce}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/codicon.css">
<link rel="stylesheet" href="/lab.css">
<link rel="icon" href="data:,">
<title>Kernel Lab</title>
</head>
<body>
<${element}></${element}>
<script type="application/json" id="setup" nonce="${nonce}">${setup}</script>
<script nonce="${nonce}" src="/extension.js"></script>
<script nonce="${nonce}" src="/webview.js"></script>
</body>
</html>`;
}

/** The themes with the colours that the extension contributes, as VS Code resolves them. */
function withContributedColours(): unknown {
  const manifest = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as {
    contributes?: { colors?: readonly ContributedColour[] };
  };
  return Object.fromEntries(
    Object.entries(themes).map(([name, theme]) => {
      const contributed = (manifest.contributes?.colors ?? []).map(({ id, defaults }) => [
        id.replaceAll('.', '-'),
        defaults[theme.column] ?? '',
      ]);
      return [name, { ...theme, colours: { ...theme.colours, ...Object.fromEntries(contributed) } as unknown }];
    }),
  );
}

async function bundle(entry: string): Promise<string> {
  const result = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    bundle: true,
    write: false,
    format: 'iife',
    platform: 'browser',
    target: 'es2022',
    logLevel: 'silent',
  });
  return result.outputFiles[0]!.text;
}

function answer(response: ServerResponse, type: string, body: string | Buffer, headers: Record<string, string>): void {
  response.writeHead(200, { 'Content-Type': `${type}; charset=utf-8`, ...headers }).end(body);
}
