import { evaluateConst } from '../wgsl/evaluate.js';
import type { Override, WgslModule } from '../wgsl/module.js';
import type { Scalar } from '../wgsl/types.js';
import { evaluateText, type ExpressionResult } from './expression.js';
import { sectionOf, type FrontMatter } from './frontMatter.js';
import { suggestName } from './nearest.js';
import type { Report } from './report.js';
import { checkExpression, type Scope } from './scope.js';

/** Values of overrides by name, and what stands in the way of the others. */
export interface ResolvedConstants {
  readonly values: ReadonlyMap<string, number>;
  readonly problems: readonly {
    readonly override: Override;
    readonly message: string;
    readonly remedy: string | null;
  }[];
}

/** Reads `constants` and checks every name and expression in it. */
export function readConstants(
  frontMatter: FrontMatter,
  module: WgslModule,
  scope: Scope,
  report: Report,
): Readonly<Record<string, number | string>> {
  const constants: Record<string, number | string> = {};
  const names = module.overrides.map(({ name }) => name);
  for (const { key, keySpan, value } of sectionOf(frontMatter, 'constants').entries) {
    if (!names.includes(key)) {
      report.error('unknown-constant', keySpan, `The WGSL has no override "${key}".`, suggestName(key, names));
      continue;
    }
    if (value.kind !== 'scalar' || !checkExpression(value, `the constant "${key}"`, scope, report)) continue;
    if (typeof value.value === 'number' || typeof value.value === 'boolean') constants[key] = Number(value.value);
    else constants[key] = value.raw;
  }
  for (const override of module.overrides) {
    const given =
      Object.hasOwn(constants, override.name) || override.defaultValue !== null || override.defaultText !== null;
    const tried = sectionOf(frontMatter, 'constants').entries.some(({ key }) => key === override.name);
    if (given || tried) continue;
    report.error(
      'missing-constant',
      override.nameSpan,
      `The override "${override.name}" has no value.`,
      `Give it one here ("= 1") or in the front matter: constants: { ${override.name}: 1 }`,
    );
  }
  return constants;
}

/** Reads `tune`: values to try, by override. */
export function readTune(
  frontMatter: FrontMatter,
  module: WgslModule,
  report: Report,
): Readonly<Record<string, readonly number[]>> {
  const tune: Record<string, readonly number[]> = {};
  const names = module.overrides.map(({ name }) => name);
  for (const { key, keySpan, value } of sectionOf(frontMatter, 'tune').entries) {
    if (!names.includes(key)) {
      report.error('unknown-constant', keySpan, `The WGSL has no override "${key}".`, suggestName(key, names));
      continue;
    }
    if (value.kind !== 'list') continue;
    tune[key] = value.items.flatMap((item) =>
      item.kind === 'scalar' && typeof item.value === 'number' ? item.value : [],
    );
  }
  return tune;
}

/** What keeps a value from being held by a scalar type, or null. */
export function misfit(value: number, scalar: Scalar): string | null {
  switch (scalar) {
    case 'bool':
      return value === 0 || value === 1 ? null : 'not 0 or 1';
    case 'u32':
      if (!Number.isInteger(value)) return 'not a whole number';
      return value < 0 ? 'negative' : value > 0xffffffff ? 'too large' : null;
    case 'i32':
      if (!Number.isInteger(value)) return 'not a whole number';
      return value < -0x80000000 || value > 0x7fffffff ? 'too large' : null;
    case 'f32':
      return Math.abs(value) > 3.4028234663852886e38 ? 'too large' : null;
    case 'f16':
      return Math.abs(value) > 65504 ? 'too large' : null;
  }
}

/** The values of all overrides for given dimensions and options: from `constants` first, else from the WGSL. */
export function resolveConstants(
  module: WgslModule,
  constants: Readonly<Record<string, number | string>>,
  scalars: ReadonlyMap<string, number>,
): ResolvedConstants {
  const values = new Map<string, number>();
  const problems: { override: Override; message: string; remedy: string | null }[] = [];
  const open = new Set(module.overrides);
  // Overrides may read one another; each round resolves those whose names are known by then.
  for (let progress = true; progress;) {
    progress = false;
    const known = new Map([...scalars, ...values]);
    for (const override of open) {
      const result = evaluateOverride(override, constants, known, values);
      if (!result?.ok) continue;
      open.delete(override);
      progress = true;
      const problem = misfit(result.value, override.scalar);
      if (problem === null) values.set(override.name, result.value);
      else {
        const message = `The override "${override.name}" is ${result.value}, which is ${problem} for ${override.scalar}.`;
        problems.push({ override, message, remedy: 'Change the value or the type of the override.' });
      }
    }
  }
  const known = new Map([...scalars, ...values]);
  for (const override of open) {
    const result = evaluateOverride(override, constants, known, values);
    const reason = result?.ok === false ? result.error.message : 'It has no default.';
    problems.push({
      override,
      message: `The override "${override.name}" has no value. ${reason}`,
      remedy: `Give it one in the front matter: constants: { ${override.name}: 1 }`,
    });
  }
  return { values, problems };
}

function evaluateOverride(
  override: Override,
  constants: Readonly<Record<string, number | string>>,
  known: ReadonlyMap<string, number>,
  values: ReadonlyMap<string, number>,
): ExpressionResult<number> | null {
  const given = Object.hasOwn(constants, override.name) ? constants[override.name] : undefined;
  if (typeof given === 'number') return { ok: true, value: given };
  if (given !== undefined) return evaluateText(given, known);
  if (override.defaultValue !== null) return { ok: true, value: override.defaultValue };
  if (override.defaultText === null) return null;
  const value = evaluateConst(override.defaultText, Object.fromEntries(values));
  if (value !== null) return { ok: true, value };
  const message = `Its default "${override.defaultText}" could not be evaluated.`;
  return { ok: false, error: { message, remedy: null, span: { start: 0, end: 0 } } };
}
