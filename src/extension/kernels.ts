import * as vscode from 'vscode';
import { disposeAll, Timer, type Disposables } from './disposal.js';
import type { Kernel } from '../core/kernel/model.js';
import { readKernel } from '../core/kernel/read.js';

const pauseMs = 150;

/** Documents of these schemes are views of another version of a file, not files under edit. */
const viewSchemes = new Set([
  'git',
  'gitlens',
  'review',
  'pr',
  'output',
  'vscode-local-history',
  'chat-editing-text-model',
]);

/** The selector of the language features: every scheme, for virtual and untitled files are kernels too. */
export const kernelSelector: vscode.DocumentSelector = { language: 'wgsl' };

interface Reading {
  readonly version: number;
  readonly kernel: Kernel | null;
}

/**
 * The kernel files that are open, read anew after each edit, and the one that the panel and the status bar are about:
 * the last active editor that holds a kernel.
 */
export class Kernels implements vscode.Disposable {
  private readonly readings = new WeakMap<vscode.TextDocument, Reading>();
  private readonly pauses = new Map<vscode.TextDocument, Timer>();
  private readonly changed = new vscode.EventEmitter<vscode.TextDocument>();
  private readonly closed = new vscode.EventEmitter<vscode.TextDocument>();
  private readonly currentChanged = new vscode.EventEmitter<vscode.TextDocument | null>();
  private readonly subscriptions: Disposables;
  private currentDocument: vscode.TextDocument | null = null;

  /** A document was opened, or changed and then left alone for a moment. */
  readonly onDidChange = this.changed.event;
  readonly onDidClose = this.closed.event;
  readonly onDidChangeCurrent = this.currentChanged.event;

  constructor() {
    this.subscriptions = [
      this.changed,
      this.closed,
      this.currentChanged,
      vscode.workspace.onDidOpenTextDocument((document) => this.opened(document)),
      vscode.workspace.onDidCloseTextDocument((document) => this.forget(document)),
      vscode.workspace.onDidChangeTextDocument(({ document }) => this.schedule(document)),
      vscode.window.onDidChangeActiveTextEditor((editor) => this.follow(editor)),
    ];
  }

  /** Announces what was open before the extension started. */
  start(): void {
    for (const document of vscode.workspace.textDocuments) this.opened(document);
    this.follow(vscode.window.activeTextEditor);
  }

  /** The documents that are open and could be kernels. */
  get documents(): readonly vscode.TextDocument[] {
    return vscode.workspace.textDocuments.filter(isWgsl);
  }

  /** The document the panel is about, or null. */
  get current(): vscode.TextDocument | null {
    return this.currentDocument;
  }

  /** Makes a document the one the panel is about. */
  select(document: vscode.TextDocument | null): void {
    if (this.currentDocument === document) return;
    this.currentDocument = document;
    this.currentChanged.fire(document);
  }

  /** The kernel in a document as its text stands now, or null where it has no front matter. */
  read(document: vscode.TextDocument): Kernel | null {
    // A change of the language leaves the version as it is.
    if (!isWgsl(document)) return null;
    const known = this.readings.get(document);
    if (known?.version === document.version) return known.kernel;
    const kernel = readKernel(document.getText(), nameOf(document));
    this.readings.set(document, { version: document.version, kernel });
    return kernel;
  }

  dispose(): void {
    disposeAll([...this.pauses.values()]);
    disposeAll(this.subscriptions);
  }

  private opened(document: vscode.TextDocument): void {
    if (isWgsl(document)) this.changed.fire(document);
  }

  private schedule(document: vscode.TextDocument): void {
    if (!isWgsl(document)) return;
    let pause = this.pauses.get(document);
    if (pause === undefined) {
      pause = new Timer(() => {
        this.pauses.delete(document);
        this.changed.fire(document);
        this.follow(vscode.window.activeTextEditor);
      });
      this.pauses.set(document, pause);
    }
    pause.restart(pauseMs);
  }

  private forget(document: vscode.TextDocument): void {
    this.pauses.get(document)?.dispose();
    this.pauses.delete(document);
    this.closed.fire(document);
    if (document !== this.currentDocument) return;
    const visible = vscode.window.visibleTextEditors.map((editor) => editor.document);
    this.select(visible.find((other) => other !== document && this.read(other) !== null) ?? null);
  }

  private follow(editor: vscode.TextEditor | undefined): void {
    if (editor !== undefined && this.read(editor.document) !== null) this.select(editor.document);
  }
}

/** The name people know a document by: its path in the workspace, or its title. */
export function nameOf(document: vscode.TextDocument): string {
  return document.isUntitled ? document.uri.path : vscode.workspace.asRelativePath(document.uri);
}

function isWgsl(document: vscode.TextDocument): boolean {
  return document.languageId === 'wgsl' && !viewSchemes.has(document.uri.scheme);
}
