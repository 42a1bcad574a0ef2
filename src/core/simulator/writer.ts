import { named, type Component } from './component.js';

/** Entries of the log that may be filled before it is emptied; the arrays have room for one more region. */
export const logMark = 1 << 18;

/** Most accesses of one region; the log has room for so many beyond the mark at which it is emptied. */
export const regionLimit = 2048;

/** A stretch of code without branches, calls and waits: its accesses are counted together. */
interface Region {
  /** The line that is filled in when the region ends. */
  readonly at: number;
  readonly count: string;
  readonly sites: number[];
}

/** What is counted when a region runs: the sites of its accesses. Returns the number of the new block. */
export type AddBlock = (sites: readonly number[]) => number;

/** The lines of one generated function, with fresh names and the bookkeeping of its accesses. */
export class Writer {
  private lines: string[] = [];
  private region: Region | null = null;
  private names = 0;
  /** Names to declare before the block that is being written, or null where declarations stay where they are. */
  private hoisted: string[] | null = null;

  constructor(
    private readonly addBlock: AddBlock,
    private readonly logs: boolean,
  ) {}

  /** A name that no other line uses. */
  fresh(prefix: string): string {
    return `${prefix}${this.names++}`;
  }

  line(text: string): void {
    this.lines.push(text);
  }

  /** Evaluates once, here: returns the name of the result. */
  temporary(code: string, prefix = 't'): string {
    const name = this.fresh(prefix);
    this.lines.push(`const ${name} = ${code};`);
    return name;
  }

  /** The component under a name of its own that later assignments do not change. */
  keep(component: Component): Component {
    if (component.atomic && component.stable) return component;
    return { ...component, code: this.temporary(component.code), atomic: true, stable: true };
  }

  /** The component in a form that may be repeated within the statement. */
  repeatable(component: Component): Component {
    return component.atomic ? component : this.keep(component);
  }

  /** Declares a name that the rest of the block may use, also after a `continue`. */
  declare(name: string, code: string): void {
    if (this.hoisted === null) this.lines.push(`let ${name} = ${code};`);
    else {
      this.hoisted.push(name);
      this.lines.push(`${name} = ${code};`);
    }
  }

  /** Keeps a component, its tag and its exact value under names that the rest of the block may use. */
  define(component: Component): Component {
    if (component.atomic && component.stable) return component;
    const name = this.fresh('v');
    this.declare(name, component.code);
    const kept = (code: string, prefix: string): string => {
      const own = this.fresh(prefix);
      this.declare(own, code);
      return own;
    };
    const tag = component.tag === '0' ? '0' : kept(component.tag, 'g');
    const exact = component.exact === null ? null : kept(component.exact, 'e');
    return { ...named(name), range: component.range, tag, exact };
  }

  /** Notes an access. `address` counts bytes from the beginning of the variable. */
  access(site: number, address: string): void {
    if (this.region !== null && this.region.sites.length >= regionLimit) this.endRegion();
    this.region ??= { at: this.lines.push('') - 1, count: this.fresh('n'), sites: [] };
    const { count, sites } = this.region;
    if (this.logs)
      this.lines.push(`LS[${count} + ${sites.length}] = ${site}; LA[${count} + ${sites.length}] = ${address};`);
    sites.push(site);
  }

  /** Ends the current region: control may leave or enter here. */
  endRegion(): void {
    if (this.region === null) return;
    const { at, count, sites } = this.region;
    this.region = null;
    const block = this.addBlock(sites);
    if (!this.logs) {
      this.lines[at] = `B[${block}]++;`;
      return;
    }
    this.lines[at] = `let ${count} = S[0]; if (${count} > LOG_MARK) ${count} = emptyLog(); B[${block}]++;`;
    this.lines.push(`S[0] = ${count} + ${sites.length};`);
  }

  /** Writes elsewhere: returns what was written and the result, and leaves the lines so far as they are. */
  aside<T>(write: () => T): { readonly lines: readonly string[]; readonly result: T } {
    const { lines, region } = this;
    this.lines = [];
    this.region = null;
    const result = write();
    this.endRegion();
    const written = this.lines;
    this.lines = lines;
    this.region = region;
    return { lines: written, result };
  }

  /** Writes a block of code; control may enter and leave it, so that it has regions of its own. */
  block(head: string, write: () => void, tail = '}'): void {
    this.endRegion();
    this.lines.push(head);
    write();
    this.endRegion();
    this.lines.push(tail);
  }

  /** Writes a block whose declared names are visible after it. */
  hoisting(write: () => void): void {
    const outer = this.hoisted;
    const at = this.lines.push('') - 1;
    const names: string[] = [];
    this.hoisted = names;
    write();
    this.hoisted = outer;
    if (names.length > 0) this.lines[at] = `let ${names.join(', ')};`;
  }

  append(lines: readonly string[]): void {
    for (const line of lines) this.lines.push(line);
  }

  get text(): string {
    return this.lines.filter((line) => line !== '').join('\n');
  }
}
