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
}

/** Declarations of one block, with where each becomes visible: a `let` only after its own initializer. */
interface Block {
  readonly names: Map<string, number[]>;
  readonly outer: Block | null;
}

function isVisible(block: Block, name: string, at: number): boolean {
  for (let b: Block | null = block; b !== null; b = b.outer) {
    if (b.names.get(name)?.some((from) => from <= at) === true) return true;
  }
  return false;
}

function declare(block: Block, ident: DeclIdent): void {
  const { declElem } = ident;
  const isLocal = declElem?.kind === 'let' || declElem?.kind === 'var' || declElem?.kind === 'const';
  const from = isLocal ? declElem.end : 0;
  const known = block.names.get(ident.originalName);
  if (known === undefined) block.names.set(ident.originalName, [from]);
  else known.push(from);
}

/** Follows every name of a parsed module to its declaration, by WGSL's scope rules. `names` are those of the module. */
export function findReferences(ast: WeslAST, names: ReadonlySet<string>): References {
  const owners = new Map<Scope, string>();
  const byDeclaration = new Map<string, Set<string>>();
  for (const item of globalIdents(ast.rootScope)) {
    byDeclaration.set(item.originalName, new Set());
    if (item.dependentScope !== undefined) owners.set(item.dependentScope, item.originalName);
  }
  const undeclared: Reference[] = [];

  const refer = (ident: RefIdent, block: Block, owner: string | null): void => {
    if (ident.conditionRef === true) return;
    if (ident.attrParam !== undefined && !wgslStandardAttributes.has(ident.attrParam)) return;
    const { start, end } = ident.refIdentElem;
    const name = ident.originalName;
    if (isVisible(block, name, start)) return;
    if (names.has(name)) {
      if (owner !== null) byDeclaration.get(owner)?.add(name);
    } else {
      undeclared.push({ name, start, end });
    }
  };
  const walk = (scope: Scope, block: Block, owner: string | null): void => {
    for (const item of scope.contents) {
      if (item.kind === 'ref') refer(item, block, owner);
      else if (item.kind === 'decl') {
        if (!item.isGlobal) declare(block, item);
      } else {
        const inner = item.kind === 'partial' ? block : { names: new Map<string, number[]>(), outer: block };
        walk(item, inner, owners.get(item) ?? owner);
      }
    }
  };
  walk(ast.rootScope, { names: new Map(), outer: null }, null);
  return { byDeclaration, undeclared };
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
