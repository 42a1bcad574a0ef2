import type { WgslModule } from '../wgsl/module.js';
import { nodeAt, type FrontMatter } from './frontMatter.js';
import { suggestName } from './nearest.js';
import type { Report } from './report.js';

/** WebGPU features a kernel may need, with what they give it. */
export const gpuFeatures: ReadonlyMap<string, string> = new Map([
  ['shader-f16', 'The type f16 (`enable f16;`).'],
  ['subgroups', 'Operations across the lanes of a subgroup (`enable subgroups;`).'],
  ['subgroup-size-control', 'Choosing the size of subgroups.'],
  ['timestamp-query', 'Times measured on the GPU.'],
  ['float32-filterable', 'Filtering of 32-bit float textures.'],
  ['bgra8unorm-storage', 'Storage textures in BGRA order.'],
  ['clip-distances', 'Clip distances in vertex shaders.'],
  ['dual-source-blending', 'Two sources in blending.'],
  ['chromium-experimental-subgroup-matrix', 'Matrix units, an experiment of Chromium.'],
]);

const featureOfEnable: ReadonlyMap<string, string> = new Map([
  ['f16', 'shader-f16'],
  ['subgroups', 'subgroups'],
  ['subgroups_f16', 'subgroups'],
  ['subgroup_size_control', 'subgroup-size-control'],
  ['clip_distances', 'clip-distances'],
  ['dual_source_blending', 'dual-source-blending'],
  ['chromium_experimental_subgroup_matrix', 'chromium-experimental-subgroup-matrix'],
]);

/** The features the kernel needs: those of `requires`, and those its `enable` lines imply. */
export function readFeatures(frontMatter: FrontMatter, module: WgslModule, report: Report): readonly string[] {
  const features = new Set<string>();
  for (const { name } of module.enables) {
    const feature = featureOfEnable.get(name);
    if (feature !== undefined) features.add(feature);
  }
  const node = nodeAt(frontMatter, ['requires']);
  for (const item of node?.kind === 'list' ? node.items : []) {
    if (item.kind !== 'scalar') continue;
    const name = String(item.value);
    features.add(name);
    if (gpuFeatures.has(name)) continue;
    const remedy = suggestName(name, gpuFeatures.keys());
    report.warning('unknown-feature', item.span, `"${name}" is no WebGPU feature that Tilescope knows.`, remedy);
  }
  return [...features];
}
