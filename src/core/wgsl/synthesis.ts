import {
  type AbstractElem,
  childElems,
  type ComponentMemberExpression,
  type DeclIdent,
  evalConstExpr,
  type ExpressionElem,
  newLinkBindings,
  type RefIdent,
  type TypeContext,
  typeOfExpr,
} from 'wesl/core';
import type { ConstValue } from './evaluate.js';

/** A member that the type of its base does not have. `members` are those there are; null for a vector. */
export interface MissingMember {
  readonly name: string;
  readonly start: number;
  readonly end: number;
  readonly typeName: string;
  readonly members: readonly string[] | null;
}

const swizzle = /^(?:[xyzw]{1,4}|[rgba]{1,4})$/;

/** WESL's type synthesis over one module. It gives no type at all where it is not sure of one. */
export class Synthesis {
  private readonly context: TypeContext;
  /** Set once the library's recursion ran out of stack: every further question could cost as much again. */
  private exhausted = false;

  /** `targets` says what each name of the module refers to. */
  constructor(targets: ReadonlyMap<RefIdent, DeclIdent>) {
    const bindings = newLinkBindings();
    for (const [ref, declaration] of targets) bindings.refersTo.set(ref, declaration);
    this.context = { bindings };
  }

  /** The value of a constant expression that is a single number, null where it is none (or nested beyond all reason). */
  constant(expression: ExpressionElem): ConstValue | null {
    return this.guarded(() => {
      const found = evalConstExpr(expression, this.context);
      return found?.kind === 'scalar' ? { value: Number(found.value), type: found.type.scalar } : null;
    });
  }

  private guarded<T>(ask: () => T | null): T | null {
    if (this.exhausted) return null;
    try {
      return ask();
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.exhausted = true;
      return null;
    }
  }

  /** Every `base.name` under `root` whose base surely is a struct or vector without such a member. */
  missingMembers(root: AbstractElem): readonly MissingMember[] {
    const missing: MissingMember[] = [];
    const open: AbstractElem[] = [root];
    for (let elem = open.pop(); elem !== undefined; elem = open.pop()) {
      if (elem.kind === 'component-member-expression') {
        const found = this.missingMember(elem);
        if (found !== null) missing.push(found);
      }
      for (const child of childElems(elem)) open.push(child);
    }
    return missing.sort((a, b) => a.start - b.start);
  }

  private missingMember({ base, access }: ComponentMemberExpression): MissingMember | null {
    const found = this.guarded(() => typeOfExpr(base, this.context));
    if (found === null) return null;
    const type = found.kind === 'ptr' ? found.elem : found;
    const { name, start, end } = access;
    if (type.kind === 'vector' && !swizzle.test(name)) {
      return { name, start, end, typeName: `vec${type.size}`, members: null };
    }
    if (type.kind !== 'struct' || type.structElem === undefined) return null;
    const members = type.members.map((member) => member.name);
    return members.includes(name) ? null : { name, start, end, typeName: type.name, members };
  }
}
