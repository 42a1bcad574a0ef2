import type { EntryPoint, WgslModule } from '../wgsl/module.js';
import { keySpan, nodeAt, type FrontMatter } from './frontMatter.js';
import type { Pass } from './model.js';
import { suggestName } from './nearest.js';
import type { Report } from './report.js';
import { checkExpression, type Scope } from './scope.js';
import { entryOf, type YamlMap, type YamlNode } from './yamlTree.js';

/** Reads `passes`: which entry points run, in order, and over how many workgroups. */
export function readPasses(frontMatter: FrontMatter, module: WgslModule, scope: Scope, report: Report): Pass[] {
  if (module.entryPoints.length === 0) {
    if (module.diagnostics.every(({ severity }) => severity !== 'error')) {
      const message = 'The WGSL has no entry point.';
      report.error(
        'no-entry-point',
        keySpan(frontMatter, 'passes'),
        message,
        'Add a function with @compute @workgroup_size(64).',
      );
    }
    return [];
  }
  const entry = entryOf(frontMatter.root, 'passes');
  if (!entry) {
    const unreadable = report.diagnostics.some(({ code }) => code === 'yaml-syntax');
    if (!unreadable) reportMissing(frontMatter, module.entryPoints, report);
    return [];
  }
  const items = entry.value.kind === 'list' ? entry.value.items : [];
  return items.flatMap((item) => (item.kind === 'map' ? (readPass(item, module, scope, report) ?? []) : []));
}

function reportMissing(frontMatter: FrontMatter, entryPoints: readonly EntryPoint[], report: Report): void {
  report.error(
    'missing-workgroups',
    keySpan(frontMatter, 'passes'),
    'The front matter does not say how many workgroups to run.',
    `Add: passes: [{ entry: ${entryPoints[0]!.name}, workgroups: [ceil(seqlen / 64), heads, batch] }]`,
  );
}

function readPass(pass: YamlMap, module: WgslModule, scope: Scope, report: Report): Pass | null {
  // A key whose value was of the wrong form has been left out, and reported.
  if (report.hasErrorWithin(pass.span)) return null;
  const entry = readEntry(pass, module, report);
  const workgroups = entryOf(pass, 'workgroups');
  if (!workgroups) {
    report.error(
      'missing-workgroups',
      entryOf(pass, 'entry')?.span ?? pass.span,
      `This pass does not say how many workgroups to run.`,
      'Add workgroups, for example: workgroups: [ceil(seqlen / 64), heads, batch]',
    );
    return null;
  }
  const axes = workgroups.value.kind === 'list' ? workgroups.value.items : [workgroups.value];
  const expressions = axes.map((axis, index) => readAxis(axis, 'xyz'[index] ?? '', scope, report));
  if (entry === null || expressions.includes(null)) return null;
  const [x, y, z] = expressions;
  return { entry, workgroups: [x ?? '1', y ?? '1', z ?? '1'], span: pass.span };
}

function readAxis(axis: YamlNode, name: string, scope: Scope, report: Report): string | null {
  if (axis.kind !== 'scalar') return null;
  return checkExpression(axis, `the workgroups along ${name}`, scope, report) ? axis.raw : null;
}

function readEntry(pass: YamlMap, module: WgslModule, report: Report): string | null {
  const names = module.entryPoints.map(({ name }) => name);
  const node = entryOf(pass, 'entry')?.value;
  if (node?.kind === 'scalar') {
    const name = String(node.value);
    if (names.includes(name)) return name;
    report.error('unknown-entry', node.span, `The WGSL has no entry point "${name}".`, suggestName(name, names));
    return null;
  }
  if (names.length === 1) return names[0]!;
  const message = 'The WGSL has several entry points, and this pass does not say which it runs.';
  report.error('missing-entry', pass.span, message, `Add "entry:" with one of ${names.join(', ')}.`);
  return null;
}

/** Warns of entry points that no pass runs. */
export function warnUnusedEntries(
  frontMatter: FrontMatter,
  module: WgslModule,
  passes: readonly Pass[],
  report: Report,
): void {
  if (nodeAt(frontMatter, ['passes']) === null || passes.length === 0) return;
  for (const { name, nameSpan } of module.entryPoints) {
    if (passes.some((pass) => pass.entry === name)) continue;
    report.info(
      'unused-entry-point',
      nameSpan,
      `No pass runs "${name}".`,
      `Add { entry: ${name}, workgroups: [...] } to "passes" to run it.`,
    );
  }
}
