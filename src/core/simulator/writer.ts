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

/** The component with its tag as it was made by itself. */
const withoutPending = (component: Component): Component =>
  component.pending === null ? component : { ...component, pending: null };

const isName = (code: string): boolean => /^[a-z]\w*$/.test(code);

/**
 * Who holds the names that are taken within it: a block until its end, a statement until its end unless they become the
 * names of its lets, a call that is written in place hands them on to the statement around it.
 */
type ScopeKind = 'block' | 'statement' | 'inlined';

interface Scope {
  readonly kind: ScopeKind;
  readonly names: Set<string>;
}

/**
 * The lines of one generated function, with its names and the bookkeeping of its accesses. Names are used again when
 * nothing holds them any more: what waits keeps all variables of its function, so that few of them make waiting cheap.
 */
export class Writer {
  private lines: string[] = [];
  private region: Region | null = null;
  private labels = 0;
  private names = 0;
  private readonly free: string[] = [];
  private readonly scopes: Scope[] = [{ kind: 'block', names: new Set() }];

  constructor(
    private readonly addBlock: AddBlock,
    private readonly logs: boolean,
    private readonly prefix = 't',
  ) {}

  /** A name that no other line uses, for labels and parameters. */
  fresh(prefix: string): string {
    return `${prefix}${this.labels++}`;
  }

  line(text: string): void {
    this.lines.push(text);
  }

  /** Writes what may use again, afterwards, the names that it takes. */
  scope<T>(kind: ScopeKind, write: () => T): T {
    const outer = this.scopes.at(-1)!;
    const scope: Scope = { kind, names: new Set() };
    this.scopes.push(scope);
    const result = write();
    this.scopes.pop();
    for (const name of scope.names) {
      if (kind === 'inlined') outer.names.add(name);
      else this.free.push(name);
    }
    return result;
  }

  private take(): string {
    return this.free.pop() ?? `${this.prefix}${this.names++}`;
  }

  private get holder(): Scope {
    return this.scopes.findLast(({ kind }) => kind !== 'statement')!;
  }

  /** Evaluates once, here: returns the name of the result, which the rest of the statement may use. */
  temporary(code: string): string {
    const name = this.take();
    this.scopes.at(-1)!.names.add(name);
    this.lines.push(`${name} = ${code};`);
    return name;
  }

  /**
   * Temporaries that can be taken back as long as no other line uses one of them: a component that may be used more than once
   * has no pending tag any more.
   */
  withdrawable(codes: readonly string[]): { readonly names: readonly string[]; readonly withdraw: () => void } {
    const { lines } = this;
    const at = lines.length;
    const names = codes.map((code) => this.temporary(code));
    return { names, withdraw: () => void lines.fill('', at, at + codes.length) };
  }

  /** The component under a name of its own that later assignments do not change. */
  keep(component: Component): Component {
    if (component.atomic && component.stable) return withoutPending(component);
    return { ...component, code: this.temporary(component.code), atomic: true, stable: true, pending: null };
  }

  /** The component in a form that may be repeated within the statement. */
  repeatable(component: Component): Component {
    return component.atomic ? withoutPending(component) : this.keep(component);
  }

  /** Evaluates once, here: returns the name of the result, which the rest of the block may use. */
  declare(code: string): string {
    const name = this.take();
    this.holder.names.add(name);
    this.lines.push(`${name} = ${code};`);
    return name;
  }

  /** Lets the rest of the block use a name that the statement has taken. Returns the name; other code it leaves alone. */
  retain(code: string): string {
    const { holder } = this;
    for (let at = this.scopes.length - 1; this.scopes[at] !== holder; at--) {
      if (this.scopes[at]!.names.delete(code)) holder.names.add(code);
    }
    return code;
  }

  /** Keeps a component, its tag and its exact value under names that the rest of the block may use. */
  define(component: Component): Component {
    const { code, range, tag, exact } = component;
    const isNamed = component.atomic && component.stable;
    const own = (part: string): string => {
      if (part === '0' || (isNamed && isName(part))) return this.retain(part);
      return this.declare(part);
    };
    return { ...named(own(code)), range, tag: own(tag), exact: exact === null ? null : own(exact) };
  }

  /** Notes an access. `address` counts bytes from the beginning of the variable. */
  access(site: number, address: string): void {
    if (this.region !== null && this.region.sites.length >= regionLimit) this.endRegion();
    this.region ??= { at: this.lines.push('') - 1, count: this.take(), sites: [] };
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
    this.free.push(count);
    const block = this.addBlock(sites);
    if (!this.logs) {
      this.lines[at] = `B[${block}]++;`;
      return;
    }
    this.lines[at] = `${count} = S[0]; if (${count} > LOG_MARK) ${count} = emptyLog(); B[${block}]++;`;
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

  append(lines: readonly string[]): void {
    for (const line of lines) this.lines.push(line);
  }

  get text(): string {
    const names = Array.from({ length: this.names }, (_, index) => `${this.prefix}${index}`);
    const declarations = names.length > 0 ? [`let ${names.join(', ')};`] : [];
    return [...declarations, ...this.lines.filter((line) => line !== '')].join('\n');
  }
}
