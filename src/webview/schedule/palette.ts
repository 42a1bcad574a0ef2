import { pageColour } from '../picture/page-colour.js';
import { hueColour, tensorHue } from '../picture/tensor-hue.js';
import type { Theme } from '../theme.js';

/** The colours of a schedule's pictures. */
export interface Palette {
  readonly text: string;
  readonly muted: string;
  readonly ground: string;
  readonly score: string;
  readonly state: string;
  readonly store: string;
  readonly caution: string;
  readonly wrong: string;
  readonly focus: string;
  readonly tensor: (name: string, role?: string) => string;
  readonly page: (page: number) => string;
}

/** Takes the colours of a theme. */
export function paletteOf(theme: Theme): Palette {
  return {
    text: theme.colour('foreground', 'editor-foreground'),
    muted: theme.colour('descriptionForeground', 'foreground'),
    ground: theme.colour('editor-background'),
    score: hueColour(theme, 'score'),
    state: hueColour(theme, 'state'),
    store: hueColour(theme, 'o'),
    caution: theme.colour('editorWarning-foreground', 'charts-yellow'),
    wrong: theme.colour('tilescope-verdictFail', 'charts-red'),
    focus: theme.colour('focusBorder', 'foreground'),
    tensor: (name, role) => hueColour(theme, tensorHue(name, role ?? null)),
    page: (page) => pageColour(page, theme.ground),
  };
}
