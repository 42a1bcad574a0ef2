import type { Mechanism, Options, OptionValue, Shape } from '../core/attention/mechanism.js';
import type { Diagnostic } from '../core/diagnostic.js';
import type { Kernel } from '../core/kernel/model.js';
import type { CaseOverride } from '../lab/contract.js';
import type { DimensionField, Kept, OptionField, PanelKernel, Problem } from '../lab/panel.js';
import { resolveDimension } from './overrides.js';
import type { Stamped } from './record.js';

/** A place in a document, counted from 0. */
export interface Place {
  readonly line: number;
  readonly character: number;
}

/** What the panel is told about a kernel under an override; `placeOf` maps offsets to places in its document. */
export function panelKernel(
  uri: string,
  kernel: Kernel,
  findings: readonly Diagnostic[],
  override: CaseOverride | null,
  placeOf: (offset: number) => Place,
): PanelKernel {
  const { mechanism } = kernel;
  return {
    uri,
    name: kernel.name,
    hash: kernel.hash,
    mechanismTitle: mechanism?.title ?? null,
    direction: kernel.computation?.direction ?? 'forward',
    dimensions: mechanism === null ? [] : dimensionFields(mechanism, kernel, override),
    options: mechanism === null ? [] : optionFields(mechanism, kernel, override),
    problems: findings.map((finding): Problem => {
      const place = placeOf(finding.span.start);
      return { ...finding, line: place.line + 1, column: place.character + 1 };
    }),
  };
}

/** A stored report as the panel gets it: stale where it is about another source than the one with this hash. */
export function kept<T extends { readonly hash: string }>(stamped: Stamped<T> | null, hash: string): Kept<T> | null {
  return stamped === null ? null : { ...stamped, stale: stamped.report.hash !== hash };
}

/** Whether a report is about a kernel as its text stands, at the shape and options of an override. */
export function isOfCase(
  report: { readonly hash: string; readonly shape: Shape; readonly options: Options },
  kernel: Kernel,
  override: CaseOverride | null,
): boolean {
  const wanted = caseOf(kernel, override);
  if (wanted === null || report.hash !== kernel.hash) return false;
  const { shape, options } = wanted;
  return (
    Object.entries(shape).every(([name, size]) => report.shape[name] === size) &&
    Object.entries(options).every(([name, value]) => sameOption(report.options[name], value))
  );
}

/** Whether two values of an option are the same: powers differ in their last digit from one JavaScript engine to another. */
function sameOption(a: OptionValue | undefined, b: OptionValue): boolean {
  if (typeof a !== 'number' || typeof b !== 'number') return JSON.stringify(a) === JSON.stringify(b);
  return Math.abs(a - b) <= 1e-12 * Math.max(Math.abs(a), Math.abs(b));
}

/** The shape and options a job on a kernel has under an override; null where the mechanism is unknown. */
export function caseOf(
  kernel: Kernel,
  override: CaseOverride | null,
): { readonly shape: Shape; readonly options: Options } | null {
  const { mechanism } = kernel;
  if (mechanism === null) return null;
  return {
    shape: Object.fromEntries(dimensionFields(mechanism, kernel, override).map(({ name, value }) => [name, value])),
    options: Object.fromEntries(optionFields(mechanism, kernel, override).map(({ name, value }) => [name, value])),
  };
}

function dimensionFields(mechanism: Mechanism, kernel: Kernel, override: CaseOverride | null): DimensionField[] {
  return mechanism.dimensions.map(({ name, description }) => ({
    name,
    ...resolveDimension(name, mechanism, kernel.shape, override),
    fileValue: kernel.shape[name] ?? 1,
    description,
  }));
}

function optionFields(mechanism: Mechanism, kernel: Kernel, override: CaseOverride | null): OptionField[] {
  const shape = Object.fromEntries(
    mechanism.dimensions.map(({ name }) => [name, resolveDimension(name, mechanism, kernel.shape, override).value]),
  );
  return mechanism.options.flatMap((option) => {
    const fileValue = kernel.options[option.name];
    if (fileValue === undefined) return [];
    // A value the file leaves to the mechanism (a scale of headDim^-1/2) follows the shape chosen here.
    const follows = typeof option.fallback === 'function' && option.fallback(kernel.shape) === fileValue;
    const value = follows && typeof option.fallback === 'function' ? option.fallback(shape) : fileValue;
    return [
      {
        name: option.name,
        kind: option.kind,
        choices: option.kind === 'choice' ? option.choices : [],
        value: override?.options[option.name] ?? value,
        fileValue,
        description: option.description,
        taken: scalarNames(option.name, option.kind).some((name) => kernel.takes.has(name)),
      },
    ];
  });
}

/** The names by which a kernel may take an option in: a window goes by its two ends. */
function scalarNames(name: string, kind: OptionField['kind']): readonly string[] {
  return kind === 'window' ? [name, `${name}Left`, `${name}Right`] : [name];
}
