import * as vscode from 'vscode';
import { hashText } from '../core/kernel/hash.js';
import { emptyRecord, parseRecord, serializeRecord, type KernelRecord } from './record.js';

/** Records of more kernels than this are dropped, the oldest first: a report with its error maps can weigh a megabyte. */
const keptFiles = 60;

/**
 * What is remembered of each kernel file, by its URI. It lies in the workspace's storage of the extension (in the
 * window's, where no folder is open) and so survives closing the file, the panel and the window.
 */
export class Results implements vscode.Disposable {
  private readonly records = new Map<string, KernelRecord>();
  private readonly loads = new Map<string, Promise<void>>();
  private readonly changed = new vscode.EventEmitter<string>();
  private writing: Promise<void> = Promise.resolve();
  private readonly folder: vscode.Uri;

  /** The record of the kernel with this URI changed. */
  readonly onDidChange = this.changed.event;

  constructor(
    context: vscode.ExtensionContext,
    private readonly log: vscode.LogOutputChannel,
  ) {
    this.folder = vscode.Uri.joinPath(context.storageUri ?? context.globalStorageUri, 'kernels');
  }

  /** What is known of a kernel now; `load` brings what was stored. */
  get(uri: vscode.Uri): KernelRecord {
    return this.records.get(uri.toString()) ?? emptyRecord;
  }

  /** The records of all kernels that have been looked at in this window. */
  get known(): Iterable<KernelRecord> {
    return this.records.values();
  }

  /** Reads the stored record of a kernel, once. Never rejects: what cannot be read counts as absent. */
  load(uri: vscode.Uri): Promise<void> {
    const key = uri.toString();
    let load = this.loads.get(key);
    if (load === undefined) {
      load = this.read(key);
      this.loads.set(key, load);
    }
    return load;
  }

  /** Changes parts of a record, announces it, and resolves when it is stored. */
  async update(uri: vscode.Uri, change: Partial<KernelRecord>): Promise<void> {
    await this.load(uri);
    const key = uri.toString();
    const record = { ...this.get(uri), ...change };
    this.records.set(key, record);
    this.changed.fire(key);
    // One write after another: two at once on one file could leave it torn.
    this.writing = this.writing.then(() => this.write(key, record));
    await this.writing;
  }

  /** Gives up what is known of a kernel, here and in the storage. */
  async forget(uri: vscode.Uri): Promise<void> {
    const key = uri.toString();
    this.records.delete(key);
    // What is stored counts as read: the file goes only after the writes before it.
    this.loads.set(key, Promise.resolve());
    this.changed.fire(key);
    this.writing = this.writing.then(() => this.erase(key));
    await this.writing;
  }

  dispose(): void {
    this.changed.dispose();
  }

  private fileOf(key: string): vscode.Uri {
    return vscode.Uri.joinPath(this.folder, `${hashText(key)}.json`);
  }

  private async read(key: string): Promise<void> {
    try {
      const bytes = await vscode.workspace.fs.readFile(this.fileOf(key));
      const record = parseRecord(key, new TextDecoder().decode(bytes));
      if (record === null) return;
      this.records.set(key, record);
      this.changed.fire(key);
    } catch (error) {
      if (!isMissing(error)) {
        this.log.warn(`The stored results of ${key} could not be read: ${String(error)}`);
      }
    }
  }

  private async write(key: string, record: KernelRecord): Promise<void> {
    try {
      await vscode.workspace.fs.createDirectory(this.folder);
      await vscode.workspace.fs.writeFile(this.fileOf(key), new TextEncoder().encode(serializeRecord(key, record)));
      await this.prune();
    } catch (error) {
      this.log.warn(`The results of ${key} could not be stored: ${String(error)}`);
    }
  }

  private async erase(key: string): Promise<void> {
    try {
      await vscode.workspace.fs.delete(this.fileOf(key));
    } catch (error) {
      if (!isMissing(error)) this.log.warn(`The stored results of ${key} could not be removed: ${String(error)}`);
    }
  }

  private async prune(): Promise<void> {
    const names = (await vscode.workspace.fs.readDirectory(this.folder)).map(([name]) => name);
    if (names.length <= keptFiles) return;
    const files = names.map((name) => vscode.Uri.joinPath(this.folder, name));
    const dated = await Promise.all(
      files.map(async (file) => ({ file, at: (await vscode.workspace.fs.stat(file)).mtime })),
    );
    dated.sort((a, b) => b.at - a.at);
    for (const { file } of dated.slice(keptFiles)) await vscode.workspace.fs.delete(file);
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof vscode.FileSystemError && error.code === 'FileNotFound';
}
