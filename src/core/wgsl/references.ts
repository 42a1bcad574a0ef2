import type { DeclIdent, RefIdent, Scope, WeslAST } from 'wesl/core';
import { wgslStandardAttributes } from 'wesl/core';

/** A name that stands for something declared elsewhere. */
export interface Reference {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** Which module-scope names each module-scope declaration refers to, and the names that nothing in the text declares. */
export interface References {
  readonly byDeclaration: ReadonlyMap<string, ReadonlySet<string>>;
  readonly undeclared: readonly Reference[];
  /** The declaration each name refers to, local ones included. */
  readonly targets: ReadonlyMap<RefIdent, DeclIdent>;
}

/** Declarations of one block, with where each becomes visible: a `let` only after its own initializer. */
interface Block {
  readonly names: Map<string, { readonly from: number; readonly ident: DeclIdent }[]>;
  readonly outer: Block | null;
}

/** The local declaration a name at `at` refers to, or null where it is none. */
function localTarget(block: Block, name: string, at: number): DeclIdent | null {
  for (let b: Block | null = block; b !== null; b = b.outer) {
    const found = b.names.get(name)?.findLast(({ from }) => from <= at);
    if (found !== undefined) return found.ident;
  }
  return null;
}

function declare(block: Block, ident: DeclIdent): void {
  const { declElem } = ident;
  const isLocal = declElem?.kind === 'let' || declElem?.kind === 'var' || declElem?.kind === 'const';
  const from = isLocal ? declElem.end : 0;
  const known = block.names.get(ident.originalName);
  if (known === undefined) block.names.set(ident.originalName, [{ from, ident }]);
  else known.push({ from, ident });
}

/** Follows every name of a parsed module to its declaration, by WGSL's scope rules. */
export function findReferences(ast: WeslAST): References {
  const owners = new Map<Scope, string>();
  const byDeclaration = new Map<string, Set<string>>();
  const globals = new Map<string, DeclIdent>();
  const targets = new Map<RefIdent, DeclIdent>();
  for (const item of globalIdents(ast.rootScope)) {
    globals.set(item.originalName, item);
    byDeclaration.set(item.originalName, new Set());
    if (item.dependentScope !== undefined) owners.set(item.dependentScope, item.originalName);
  }
  const undeclared: Reference[] = [];

  const refer = (ident: RefIdent, block: Block, owner: string | null): void => {
    if (ident.conditionRef === true) return;
    if (ident.attrParam !== undefined && !wgslStandardAttributes.has(ident.attrParam)) return;
    const { start, end } = ident.refIdentElem;
    const name = ident.originalName;
    const local = localTarget(block, name, start);
    const target = local ?? globals.get(name);
    if (target === undefined) {
      undeclared.push({ name, start, end });
      return;
    }
    targets.set(ident, target);
    if (local === null && owner !== null) byDeclaration.get(owner)?.add(name);
  };
  const walk = (scope: Scope, block: Block, owner: string | null): void => {
    for (const item of scope.contents) {
      if (item.kind === 'ref') refer(item, block, owner);
      else if (item.kind === 'decl') {
        if (!item.isGlobal) declare(block, item);
      } else {
        const inner = item.kind === 'partial' ? block : { names: new Map(), outer: block };
        walk(item, inner, owners.get(item) ?? owner);
      }
    }
  };
  walk(ast.rootScope, { names: new Map(), outer: null }, null);
  return { byDeclaration, undeclared, targets };
}

/** The declarations at module scope, also those WESL keeps in scopes of their own. */
export function globalIdents(root: Scope): readonly DeclIdent[] {
  const found: DeclIdent[] = [];
  const visit = (scope: Scope): void => {
    for (const item of scope.contents) {
      if (item.kind === 'decl') {
        if (item.isGlobal) found.push(item);
      } else if (item.kind === 'partial') visit(item);
    }
  };
  visit(root);
  return found;
}

/** All names that the declarations in `from` refer to, directly or through others. */
export function reachable(from: string, byDeclaration: ReadonlyMap<string, ReadonlySet<string>>): ReadonlySet<string> {
  const reached = new Set<string>();
  const open = [from];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    for (const next of byDeclaration.get(name) ?? []) {
      if (reached.has(next)) continue;
      reached.add(next);
      open.push(next);
    }
  }
  return reached;
}
