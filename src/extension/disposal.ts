/** Things to give back when their owner goes. */
export type Disposables = readonly { dispose(): unknown }[];

/** Disposes each in turn. */
export function disposeAll(disposables: Disposables): void {
  for (const disposable of disposables) disposable.dispose();
}

/** Calls back after a time, once; asking again starts the time anew. */
export class Timer {
  private handle: TimerHandle | null = null;

  constructor(private readonly elapsed: () => void) {}

  get isRunning(): boolean {
    return this.handle !== null;
  }

  /** Starts the time, or starts it anew. */
  restart(milliseconds: number): void {
    this.dispose();
    this.handle = setTimeout(() => {
      this.handle = null;
      this.elapsed();
    }, milliseconds);
  }

  /** Starts the time unless it is running: however often it is asked, the call comes after the first one's time. */
  startOnce(milliseconds: number): void {
    if (!this.isRunning) this.restart(milliseconds);
  }

  /** Stops the time. */
  dispose(): void {
    if (this.handle !== null) clearTimeout(this.handle);
    this.handle = null;
  }
}
