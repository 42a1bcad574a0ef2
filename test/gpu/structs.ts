/** One scalar of a struct: its path in the front matter, how WGSL reads it, and the value it is given. */
interface Leaf {
  readonly path: string;
  readonly access: string;
  readonly value: number;
}

/** A generated struct with nested members, as WGSL text and as the list of its scalars. */
export interface RandomStruct {
  readonly name: string;
  readonly declarations: string;
  readonly leaves: readonly Leaf[];
}

type Scalar = 'f32' | 'i32' | 'u32';

const scalars: readonly Scalar[] = ['f32', 'i32', 'u32'];
const components = ['x', 'y', 'z', 'w'];

/** A small generator of random numbers (mulberry32): the corpus is the same everywhere. */
function generator(seed: number): (below: number) => number {
  let state = seed * 0x9e3779b9;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

/**
 * A struct of scalars, vectors, matrices, arrays and structs, some members with `@align` and `@size`. With `forUniform`
 * it keeps the rules of the uniform address space: arrays have elements of 16 bytes or multiples, arrays and structs are
 * aligned to 16, and so is what follows a struct.
 */
export function randomStruct(seed: number, forUniform: boolean): RandomStruct {
  const builder = new StructBuilder(generator(seed), forUniform);
  const name = builder.struct(2);
  const leaves = builder.leavesOf(name, '', '');
  return { name, declarations: builder.declarations.join('\n'), leaves };
}

type Visit = (path: string, access: string) => Leaf[];

class StructBuilder {
  readonly declarations: string[] = [];
  private readonly members = new Map<string, { name: string; visit: Visit }[]>();
  private next = 0;
  private value = 0;
  private widest = 0;

  constructor(
    private readonly random: (below: number) => number,
    private readonly forUniform: boolean,
  ) {}

  struct(depth: number): string {
    const count = 1 + this.random(5);
    const members: { name: string; visit: Visit }[] = [];
    const lines: string[] = [];
    let afterStruct = false;
    for (let index = 0; index < count; index++) {
      const name = `m${index}`;
      const { type, visit, composite, isStruct, sizeBytes } = this.type(depth);
      const attributes: string[] = [];
      const wanted =
        this.random(5) === 0 ? [16, 32][this.random(2)]! : this.forUniform && (composite || afterStruct) ? 16 : 0;
      // An alignment must be a multiple of the type's own, which is 32 where a struct inside has been given that.
      const align = composite && wanted > 0 ? Math.max(wanted, this.widest) : wanted;
      if (align > 0) attributes.push(`@align(${align})`);
      this.widest = Math.max(this.widest, align);
      if (sizeBytes !== null && this.random(5) === 0) attributes.push(`@size(${sizeBytes + 4 * (1 + this.random(6))})`);
      lines.push(`  ${[...attributes, `${name}: ${type}`].join(' ')},`);
      members.push({ name, visit });
      afterStruct = isStruct;
    }
    const name = `S${this.next++}`;
    this.declarations.push(`struct ${name} {\n${lines.join('\n')}\n}`);
    this.members.set(name, members);
    return name;
  }

  leavesOf(struct: string, path: string, access: string): Leaf[] {
    return this.members
      .get(struct)!
      .flatMap(({ name, visit }) => visit(path === '' ? name : `${path}.${name}`, `${access}.${name}`));
  }

  private leaf(scalar: Scalar): Visit {
    return (path, access) => {
      // Every value is its own, and exact in f32.
      const value = ++this.value;
      const shown = scalar === 'f32' ? value + 0.5 : scalar === 'i32' ? -value : value;
      return [{ path, access, value: shown }];
    };
  }

  private type(depth: number): {
    type: string;
    visit: Visit;
    composite: boolean;
    isStruct: boolean;
    sizeBytes: number | null;
  } {
    const scalar = scalars[this.random(scalars.length)]!;
    const kind = this.random(depth > 0 ? 6 : 4);
    if (kind === 0) return { type: scalar, visit: this.leaf(scalar), composite: false, isStruct: false, sizeBytes: 4 };
    if (kind <= 2) {
      const width = 2 + this.random(3);
      const visit = this.each(components.slice(0, width), this.leaf(scalar), (name) => `.${name}`);
      const type = `vec${width}<${scalar}>`;
      return { type, visit, composite: false, isStruct: false, sizeBytes: 4 * width };
    }
    if (kind === 3) {
      const [columns, rows] = [2 + this.random(3), 2 + this.random(3)];
      const column = this.each(components.slice(0, rows), this.leaf('f32'), (name) => `.${name}`);
      const visit = this.each(indices(columns), column, (index) => `[${index}]`);
      return { type: `mat${columns}x${rows}<f32>`, visit, composite: false, isStruct: false, sizeBytes: null };
    }
    if (kind === 4) {
      const name = this.struct(depth - 1);
      const visit: Visit = (path, access) => this.leavesOf(name, path, access);
      return { type: name, visit, composite: true, isStruct: true, sizeBytes: null };
    }
    return this.array(depth, scalar);
  }

  private array(depth: number, scalar: Scalar): ReturnType<StructBuilder['type']> {
    const count = 1 + this.random(3);
    const element = this.element(depth, scalar);
    const visit = this.each(indices(count), element.visit, (index) => `[${index}]`);
    return { type: `array<${element.type}, ${count}>`, visit, composite: true, isStruct: false, sizeBytes: null };
  }

  private element(depth: number, scalar: Scalar): { type: string; visit: Visit } {
    if (this.forUniform) {
      const width = 3 + this.random(2);
      const visit = this.each(components.slice(0, width), this.leaf(scalar), (name) => `.${name}`);
      return { type: `vec${width}<${scalar}>`, visit };
    }
    return this.type(depth - 1);
  }

  private each(names: readonly string[], inner: Visit, access: (name: string) => string): Visit {
    return (path, before) => names.flatMap((name) => inner(`${path}.${name}`, `${before}${access(name)}`));
  }
}

function indices(count: number): string[] {
  return Array.from({ length: count }, (_, index) => String(index));
}
