import { parseSrcModule, type WeslAST } from 'wesl/core';
import { findReferences, type References } from './references.js';
import { blankComments } from './scan.js';
import { repairTemplateDiscovery } from './template-lists.js';

repairTemplateDiscovery();

/** The tree of a text, and what its names refer to. */
export interface SyntaxTree {
  readonly ast: WeslAST;
  readonly references: References;
}

/** A text of WGSL before and after it is parsed. */
export class Syntax {
  /** The code without comments; offsets are those of the code. */
  readonly text: string;
  /** Where a block comment begins that has no end, or null. */
  readonly unclosed: number | null;
  private parsed: SyntaxTree | null = null;

  constructor(readonly code: string) {
    const { text, unclosed } = blankComments(code);
    this.text = text;
    this.unclosed = unclosed;
  }

  /** Parses the text, once. Throws what the parser throws, which it does on texts nested or chained beyond all reason. */
  get tree(): SyntaxTree {
    if (this.parsed !== null) return this.parsed;
    const source = { modulePath: 'package::kernel', debugFilePath: 'kernel.wgsl', src: this.text };
    const ast = parseSrcModule(source, { keepComments: false });
    this.parsed = { ast, references: findReferences(ast) };
    return this.parsed;
  }
}

let latest: Syntax | null = null;

/** The syntax of a text. That of the last one is kept: a kernel is read, and then its entry points are lowered one by one. */
export function syntaxOf(code: string): Syntax {
  if (latest?.code !== code) latest = new Syntax(code);
  return latest;
}
