import { completeOptions, completeShape } from '../attention/catalogue.js';
import type {
  DimensionSpec,
  GridCase,
  Mechanism,
  Options,
  OptionSpec,
  OptionValue,
  Shape,
} from '../attention/mechanism.js';
import { leadersOf } from '../attention/sizes.js';
import { entryOf } from './yamlTree.js';
import type { FrontMatter } from './frontMatter.js';
import { impossibleCase } from './limits.js';
import type { KernelCase } from './model.js';
import type { Report } from './report.js';
import { readPartialCase, type Setting } from './setting.js';

/** The names by which kernels read an option: a window has two. */
export function optionScalars(spec: OptionSpec): readonly string[] {
  return spec.kind === 'window' ? [`${spec.name}Left`, `${spec.name}Right`] : [spec.name];
}

function takesOption(spec: OptionSpec, takes: ReadonlySet<string>): boolean {
  return spec.onlyInputs === true || optionScalars(spec).some((name) => takes.has(name));
}

/** Whether a kernel that takes these names may be run at any size of a dimension. */
export function takesDimension({ name, onlyInputs }: DimensionSpec, takes: ReadonlySet<string>): boolean {
  return onlyInputs === true || takes.has(name);
}

const same = (a: OptionValue | undefined, b: OptionValue | undefined): boolean =>
  JSON.stringify(a) === JSON.stringify(b);

/** A value of an option in words for the name of a case. */
function caseName(shape: Shape, options: Options): string {
  const parts = Object.entries({ ...shape, ...options }).map(([name, value]) =>
    typeof value === 'object' ? `${name} ${value.join('/')}` : `${name} ${String(value)}`,
  );
  return parts.length === 0 ? 'default' : parts.join(', ');
}

/** Reads the cases to verify: the file's own, else those of the mechanism's grid that the kernel can take. */
export function readCases(
  frontMatter: FrontMatter,
  setting: Setting,
  takes: ReadonlySet<string>,
  report: Report,
): readonly KernelCase[] {
  const { mechanism, computation } = setting;
  if (!mechanism) return [];
  const listed = entryOf(frontMatter.root, 'cases')?.value;
  if (listed?.kind !== 'list') {
    return distinct((computation?.grid ?? []).flatMap((entry) => gridCase(entry, mechanism, setting, takes) ?? []));
  }
  const cases: KernelCase[] = [];
  for (const item of listed.items) {
    if (item.kind !== 'map') continue;
    const before = report.diagnostics.length;
    const partial = readPartialCase(item, mechanism, report);
    if (report.diagnostics.length > before) continue;
    const shape = completeShape(mechanism, { ...setting.declaredShape, ...partial.shape });
    const options = completeOptions(mechanism, shape, { ...setting.declaredOptions, ...partial.options });
    const problem = impossibleCase(mechanism, shape, options, setting.limits);
    if (problem !== null) {
      report.error('invalid-shape', item.span, problem, 'Change this case so that it holds.');
      continue;
    }
    for (const entry of item.entries) {
      const spec = mechanism.options.find(({ name }) => name === entry.key);
      if (spec ? takesOption(spec, takes) : takes.has(entry.key) || isFree(mechanism, entry.key)) continue;
      const message = `The kernel takes "${entry.key}" in nowhere: no uniform, constant or workgroup expression reads it.`;
      report.info('untaken-dimension', entry.keySpan, message, 'Keep it only if the WGSL learns it in another way.');
    }
    cases.push({ name: caseName(partial.shape, partial.options), shape, options });
  }
  return distinct(cases);
}

/** Whether a dimension follows others, or only says how large an input is. */
function isFree({ dimensions }: Mechanism, name: string): boolean {
  const dimension = dimensions.find((candidate) => candidate.name === name);
  return dimension !== undefined && (dimension.onlyInputs === true || leadersOf(dimension).length > 0);
}

/**
 * A case of the grid with the untaken dimensions and options as the file has them; null where it would vary those or is over
 * the file's limits.
 */
function gridCase(
  entry: GridCase,
  mechanism: Mechanism,
  setting: Setting,
  takes: ReadonlySet<string>,
): KernelCase | null {
  const fixedShape: Record<string, number> = {};
  const taking = new Set(mechanism.dimensions.filter((one) => takesDimension(one, takes)).map(({ name }) => name));
  for (const { name } of mechanism.dimensions) {
    const declared = setting.declaredShape[name];
    if (!taking.has(name) && declared !== undefined) fixedShape[name] = declared;
  }
  const varied = completeShape(mechanism, { ...fixedShape, ...entry.shape });
  // What the kernel does not take must be what it would be had the grid not spoken of it.
  const taken = Object.fromEntries(Object.entries(entry.shape).filter(([name]) => taking.has(name)));
  const shape = completeShape(mechanism, { ...fixedShape, ...taken });
  if (mechanism.dimensions.some(({ name }) => shape[name] !== varied[name])) return null;
  const fixedOptions: Record<string, OptionValue> = {};
  for (const spec of mechanism.options) {
    const declared = setting.declaredOptions[spec.name];
    if (!takesOption(spec, takes) && declared !== undefined) fixedOptions[spec.name] = declared;
  }
  const options = completeOptions(mechanism, shape, { ...entry.options, ...fixedOptions });
  const kept = completeOptions(mechanism, shape, fixedOptions);
  const strays = mechanism.options.some((spec) => {
    if (takesOption(spec, takes) || !Object.hasOwn(entry.options, spec.name)) return false;
    return !same(entry.options[spec.name], kept[spec.name]);
  });
  if (strays || impossibleCase(mechanism, shape, options, setting.limits) !== null) return null;
  return { name: entry.name, shape, options };
}

function distinct(cases: readonly KernelCase[]): readonly KernelCase[] {
  const seen = new Set<string>();
  return cases.filter(({ shape, options }) => {
    const key = JSON.stringify([shape, options]);
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}
