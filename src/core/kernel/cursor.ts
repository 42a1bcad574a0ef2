/** Where a cursor stands in half-typed YAML: the keys (and `-` for list items) it is under. */
export interface CursorPlace {
  readonly path: readonly string[];
  /** True behind `key:` on the same line, where only a value can follow. */
  readonly afterKey: boolean;
  /** Keys already written in the mapping the cursor is in, when it is in one. */
  readonly siblings: readonly string[];
}

interface Frame {
  readonly kind: 'map' | 'list';
  readonly flow: boolean;
  readonly indent: number;
  key: string | null;
  readonly keys: string[];
}

const keyPattern = /^("[^"\n]*"|'[^'\n]*'|[^\s:#{}[\],"'-][^:#{}[\],\n]*?)[ \t]*:(?=[ \t\r\n]|$)/;

/**
 * Reads YAML up to the cursor as far as its structure needs, by indentation and brackets alone, so that it also works
 * where the text is not valid yet.
 */
export function cursorPlace(before: string): CursorPlace {
  return new CursorScanner(before).scan();
}

class CursorScanner {
  private readonly frames: Frame[] = [];
  private at = 0;
  private afterKey = false;

  constructor(private readonly text: string) {}

  scan(): CursorPlace {
    while (this.at < this.text.length) this.line();
    if (this.text === '' || this.text.endsWith('\n')) this.fresh(0);
    const top = this.frames.at(-1);
    return {
      path: this.frames.flatMap((frame) => (frame.kind === 'list' ? '-' : (frame.key ?? []))),
      afterKey: this.afterKey,
      siblings: top?.kind === 'map' && top.key === null ? top.keys : [],
    };
  }

  private line(): void {
    const indent = /^[ \t]*/.exec(this.text.slice(this.at))![0].length;
    this.afterKey = false;
    this.at += indent;
    const rest = this.restOfLine();
    if (this.at >= this.text.length) this.fresh(indent);
    else if (rest.trim() !== '' && !rest.startsWith('#')) this.content(indent);
    this.skipLine();
  }

  private restOfLine(): string {
    const end = this.text.indexOf('\n', this.at);
    return this.text.slice(this.at, end < 0 ? this.text.length : end);
  }

  private skipLine(): void {
    const end = this.text.indexOf('\n', this.at);
    this.at = end < 0 ? this.text.length : end + 1;
  }

  /** A line on which nothing is written yet: its indentation alone says what it belongs to. */
  private fresh(indent: number): void {
    while (this.frames.length > 0 && this.frames.at(-1)!.indent > indent) this.frames.pop();
    const top = this.frames.at(-1);
    if (top?.indent !== indent) return;
    if (top.kind === 'map') top.key = null;
    else this.frames.pop();
  }

  private content(indent: number): void {
    const rest = this.restOfLine();
    if (/^-(?=[ \t\r]|$)/.test(rest)) {
      this.enter('list', indent);
      const gap = /^-[ \t]*/.exec(rest)![0].length;
      this.at += gap;
      if (this.at < this.text.length && this.restOfLine().trim() !== '') this.content(indent + gap);
      return;
    }
    const key = keyPattern.exec(rest);
    if (!key) {
      this.fresh(indent);
      this.value();
      return;
    }
    const frame = this.enter('map', indent);
    frame.key = key[1]!.replace(/^["']|["']$/g, '');
    frame.keys.push(frame.key);
    this.at += key[0].length;
    this.afterKey = true;
    this.at += /^[ \t]*/.exec(this.restOfLine())![0].length;
    this.value();
  }

  private enter(kind: 'map' | 'list', indent: number): Frame {
    for (let top = this.frames.at(-1); top; top = this.frames.at(-1)) {
      const closes = top.indent > indent || (top.indent === indent && top.kind === 'list' && kind === 'map');
      if (!closes) break;
      this.frames.pop();
    }
    const top = this.frames.at(-1);
    if (top?.kind === kind && top.indent === indent) return top;
    const frame: Frame = { kind, flow: false, indent, key: null, keys: [] };
    this.frames.push(frame);
    return frame;
  }

  /** A value: only brackets matter, and they may reach over lines. */
  private value(): void {
    if (this.text[this.at] !== '{' && this.text[this.at] !== '[') return;
    const depth = this.frames.length;
    let parentheses = 0;
    let word = '';
    while (this.at < this.text.length) {
      const character = this.text[this.at++]!;
      if (character === '{' || character === '[') {
        const kind = character === '{' ? 'map' : 'list';
        this.frames.push({ kind, flow: true, indent: Number.MAX_SAFE_INTEGER, key: null, keys: [] });
        this.afterKey = false;
        word = '';
      } else if (character === '}' || character === ']') {
        this.frames.pop();
        if (this.frames.length <= depth) return;
      } else if (character === '(' || character === ')') {
        parentheses = Math.max(0, parentheses + (character === '(' ? 1 : -1));
      } else if (character === ',' && parentheses === 0) {
        this.frames.at(-1)!.key = null;
        this.afterKey = false;
        word = '';
      } else if (character === ':' && /^(?:\s|$)/.test(this.text.slice(this.at, this.at + 1))) {
        this.flowKey(word);
      } else if (character === '#' && /\s/.test(this.text[this.at - 2] ?? '')) {
        this.skipLine();
      } else {
        word += character;
      }
    }
  }

  private flowKey(word: string): void {
    const top = this.frames.at(-1)!;
    if (top.kind !== 'map') return;
    top.key = word.trim().replace(/^["']|["']$/g, '');
    top.keys.push(top.key);
    this.afterKey = true;
  }
}
