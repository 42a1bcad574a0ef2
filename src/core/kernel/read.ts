import type { Options, Shape } from '../attention/mechanism.js';
import { parseWgsl } from '../wgsl/parse.js';
import { readBindings, type BindingContext } from './bindings.js';
import { readCases } from './cases.js';
import { readConstants, readTune } from './constants.js';
import { namesOfDefine, readDefines, resolveDefines } from './defines.js';
import { readFeatures } from './features.js';
import { readFrontMatter, type FrontMatter } from './frontMatter.js';
import { hashText } from './hash.js';
import type { Kernel } from './model.js';
import { readPasses, warnUnusedEntries } from './passes.js';
import { Report } from './report.js';
import { scalarsOf, type Scope } from './scope.js';
import { readScratch, warnUnusedScratch } from './scratch.js';
import { checkTensorKeys } from './storage.js';
import { readSetting, type Setting } from './setting.js';

/**
 * Reads a kernel file: its front matter and its WGSL together. Null when the text has no front matter.
 * Never throws; every mistake is in `diagnostics`, those of the WGSL included.
 */
export function readKernel(source: string, name: string): Kernel | null {
  return readKernelFor(source, name, null);
}

/** As `readKernel`, with the preprocessor's values taken for one case where the code depends on its shape. */
export function readKernelFor(
  source: string,
  name: string,
  at: { readonly shape: Shape; readonly options: Options } | null,
): Kernel | null {
  const report = new Report();
  const frontMatter = readFrontMatter(source, report);
  if (!frontMatter) return null;
  const setting = readSetting(frontMatter, report);
  const { shape, options } = at ?? setting;
  return new KernelReader(
    source,
    name,
    frontMatter,
    setting,
    scalarsOf(setting.mechanism, shape, options),
    report,
  ).read();
}

class KernelReader {
  constructor(
    private readonly source: string,
    private readonly name: string,
    private readonly frontMatter: FrontMatter,
    private readonly setting: Setting,
    private readonly scalars: ReadonlyMap<string, number>,
    private readonly report: Report,
  ) {}

  read(): Kernel {
    const { source, frontMatter, setting, report } = this;
    const defines = readDefines(frontMatter);
    const module = parseWgsl(source, resolveDefines(defines, this.scalars));
    const scope: Scope = {
      scalars: this.scalars,
      overrides: new Set(module.overrides.map((override) => override.name)),
      taken: new Set(Object.values(defines).flatMap((value) => namesOfDefine(value, this.scalars))),
    };
    const tensors = setting.computation?.tensors ?? [];
    const constants = readConstants(frontMatter, module, scope, report);
    const tune = readTune(frontMatter, module, report);
    const passes = readPasses(frontMatter, module, scope, report);
    warnUnusedEntries(frontMatter, module, passes, report);
    const scratch = readScratch(
      frontMatter,
      tensors.map((tensor) => tensor.name),
      scope,
      report,
    );
    const context: BindingContext = { frontMatter, module, tensors, scratch, passes, scope, report };
    checkTensorKeys(context);
    const uses = readBindings(context);
    const held = [...uses.values()].flatMap((use) => (use.kind === 'scratch' ? use.scratch : []));
    warnUnusedScratch(frontMatter, scratch, new Set(held), report);
    const features = readFeatures(frontMatter, module, report);
    const cases = readCases(frontMatter, setting, scope.taken, report);
    return {
      name: this.name,
      source,
      hash: hashText(source),
      module,
      frontMatterSpan: frontMatter.yaml,
      mechanism: setting.mechanism,
      computation: setting.computation,
      shape: setting.shape,
      options: setting.options,
      limits: setting.limits,
      cases,
      passes,
      scratch,
      constants,
      defines,
      tune,
      features,
      uses,
      takes: scope.taken,
      diagnostics: [...report.diagnostics, ...module.diagnostics],
    };
  }
}
