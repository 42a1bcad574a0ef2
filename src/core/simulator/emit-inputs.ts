import type { BuiltinInput } from '../wgsl/program.js';
import { computed, literal, named, type Component, type Components } from './component.js';

type Triple = readonly [number, number, number];

const axes = ['x', 'y', 'z'] as const;

function below(code: string, count: number): Component {
  return count === 1 ? literal('u32', 0) : { ...named(code), range: { low: 0, high: count - 1 } };
}

function upTo(code: string, most: number): Component {
  return most === 1 ? literal('u32', 1) : { ...named(code), range: { low: 1, high: most } };
}

/** Whether the code of a built-in input holds for just as many workgroups as it is made for. */
export function isBoundToSizes(builtin: BuiltinInput): boolean {
  return builtin === 'global_invocation_index' || builtin === 'workgroup_index';
}

/**
 * The scalars of a built-in input, in terms of the parameters of the generated entry function. `groups` are the counts of
 * workgroups; where `asked`, the code asks the environment for them, so that it holds for fewer, too.
 */
export function inputComponents(builtin: BuiltinInput, size: Triple, groups: Triple, asked: boolean): Components {
  const invocations = size[0] * size[1] * size[2];
  switch (builtin) {
    case 'workgroup_id':
      return axes.map((axis, at) => below(`w${axis}`, groups[at]!));
    case 'num_workgroups':
      return groups.map((count, at) => (asked ? upTo(`N${axes[at]!}`, count) : literal('u32', count)));
    case 'local_invocation_id':
      return axes.map((axis, at) => below(`l${axis}`, size[at]!));
    case 'local_invocation_index':
      return [below('inv', invocations)];
    case 'global_invocation_id':
      return axes.map((axis, at) => ({
        ...computed(`(imul(w${axis}, ${size[at]!}) + l${axis} | 0)`),
        range: { low: 0, high: groups[at]! * size[at]! - 1 },
      }));
    case 'subgroup_size':
      return [{ ...named('SG'), range: { low: 4, high: 128 } }];
    case 'subgroup_invocation_id':
      return [{ ...computed('(inv & SG - 1)'), range: { low: 0, high: Math.min(127, invocations - 1) } }];
    case 'subgroup_id':
      return [{ ...computed('(inv / SG | 0)'), range: { low: 0, high: Math.ceil(invocations / 4) - 1 } }];
    case 'num_subgroups':
      return [
        { ...computed(`((${invocations - 1} + SG) / SG | 0)`), range: { low: 1, high: Math.ceil(invocations / 4) } },
      ];
    case 'global_invocation_index': {
      const [x, y, z] = axes.map((axis, at) => `(w${axis} * ${size[at]!} + l${axis})`);
      const [width, height] = [groups[0] * size[0], groups[1] * size[1]];
      return [computed(`(${x!} + ${y!} * ${width} + ${z!} * ${width * height} | 0)`)];
    }
    case 'workgroup_index':
      return [computed(`(wx + wy * ${groups[0]} + wz * ${groups[0] * groups[1]} | 0)`)];
  }
}
