import { evaluateExpression, namesIn, parseExpression } from './expression.js';
import { sectionOf, type FrontMatter } from './frontMatter.js';

/** Values for the preprocessor as the front matter gives them, by macro name. */
export type Defines = Readonly<Record<string, number | boolean | string>>;

/** Reads `defines`. */
export function readDefines(frontMatter: FrontMatter): Defines {
  const defines: Record<string, number | boolean | string> = {};
  for (const { key, value } of sectionOf(frontMatter, 'defines').entries) {
    if (value.kind === 'scalar' && value.value !== null) defines[key] = value.value;
  }
  return defines;
}

/** The dimensions and options that a define reads: those of its text, if that is an expression over known names. */
export function namesOfDefine(
  value: number | boolean | string,
  scalars: ReadonlyMap<string, number>,
): readonly string[] {
  if (typeof value !== 'string') return [];
  const parsed = parseExpression(value);
  if (!parsed.ok) return [];
  const names = namesIn(parsed.value).map(({ name }) => name);
  return names.every((name) => scalars.has(name)) ? names : [];
}

/** The texts that macros stand for at given dimensions and options; a switch is 1 or 0. */
export function resolveDefines(
  defines: Defines,
  scalars: ReadonlyMap<string, number>,
): Readonly<Record<string, string>> {
  const texts: Record<string, string> = {};
  for (const [name, value] of Object.entries(defines)) {
    texts[name] = typeof value === 'boolean' ? (value ? '1' : '0') : String(value);
    if (typeof value !== 'string') continue;
    const parsed = parseExpression(value);
    const result = parsed.ok ? evaluateExpression(parsed.value, scalars) : parsed;
    if (result.ok) texts[name] = String(result.value);
  }
  return texts;
}
