import type { ReactiveController, ReactiveControllerHost } from 'lit';
import type { Ground } from './picture/colour-scale.js';

/** The colours of the window's theme as pictures on a canvas need them, re-read when the theme changes. */
export interface Theme {
  readonly ground: Ground;
  readonly highContrast: boolean;
  /** Value of the first of the named VS Code variables (`editor-foreground`) that the theme defines. */
  readonly colour: (...names: readonly [string, ...string[]]) => string;
}

/** Reads the theme from the classes VS Code sets on the body and the variables on the root element. */
export function readTheme(): Theme {
  const { classList } = document.body;
  const highContrast = classList.contains('vscode-high-contrast') || classList.contains('vscode-high-contrast-light');
  const light = classList.contains('vscode-light') || classList.contains('vscode-high-contrast-light');
  const computed = getComputedStyle(document.documentElement);
  return {
    ground: light ? 'light' : 'dark',
    highContrast,
    colour: (...names) => {
      for (const name of names) {
        const value = computed.getPropertyValue(`--vscode-${name}`).trim();
        if (value !== '') return value;
      }
      return light ? '#000000' : '#ffffff';
    },
  };
}

/** Keeps the theme of a component: VS Code changes the root's style and the body's class, and both ask for an update. */
export class ThemeController implements ReactiveController {
  current: Theme = readTheme();
  private readonly observer: MutationObserver;

  constructor(private readonly host: ReactiveControllerHost) {
    this.observer = new MutationObserver(() => {
      this.current = readTheme();
      this.host.requestUpdate();
    });
    host.addController(this);
  }

  hostConnected(): void {
    this.current = readTheme();
    this.observer.observe(document.documentElement, { attributes: true, attributeFilter: ['style', 'class'] });
    this.observer.observe(document.body, { attributes: true, attributeFilter: ['class', 'data-vscode-theme-kind'] });
  }

  hostDisconnected(): void {
    this.observer.disconnect();
  }
}
