import type { ReactiveController, ReactiveControllerHost } from 'lit';

/** Width and device pixel ratio of a component, in CSS pixels; a change asks for an update. */
export class SizeController implements ReactiveController {
  width = 0;
  ratio = window.devicePixelRatio;
  private readonly observer: ResizeObserver;

  constructor(private readonly host: ReactiveControllerHost & HTMLElement) {
    this.observer = new ResizeObserver((entries) => {
      const width = Math.floor(entries.at(-1)?.contentRect.width ?? 0);
      if (width === this.width && this.ratio === window.devicePixelRatio) return;
      this.width = width;
      this.ratio = window.devicePixelRatio;
      this.host.requestUpdate();
    });
    host.addController(this);
  }

  hostConnected(): void {
    this.observer.observe(this.host);
  }

  hostDisconnected(): void {
    this.observer.disconnect();
  }
}
