import { completeOptions, completeShape } from '../core/attention/catalogue.js';
import type { Mechanism, Shape } from '../core/attention/mechanism.js';
import { followsLeaders } from '../core/attention/sizes.js';
import type { KernelCase } from '../core/kernel/model.js';
import type { ReadyKernel } from './prepare.js';

/**
 * A case of at most `mostFlops` floating-point operations: the one given, or one batch of it, few heads, and then ever
 * shorter sequences, as far as the kernel takes these sizes in. The widths of heads stay: tiles depend on them.
 */
export function smallEnough(
  { kernel, mechanism, computation }: ReadyKernel,
  given: KernelCase,
  mostFlops: number,
): KernelCase {
  if (computation.flops(given.shape, given.options) <= mostFlops) return given;
  const taken = (name: string): boolean => kernel.takes.has(name);
  let shape: Shape = given.shape;
  const tryShape = (change: Readonly<Record<string, number>>): boolean => {
    const kept = Object.fromEntries(
      Object.entries(change).filter(([name]) => taken(name) && shape[name] !== undefined),
    );
    const smaller = completeShape(mechanism, { ...leaders(mechanism, shape), ...kept });
    if (mechanism.validate(smaller, completeOptions(mechanism, smaller, given.options)) !== null) return false;
    const changed = Object.keys(kept).some((name) => kept[name] !== shape[name]);
    shape = smaller;
    return changed;
  };
  tryShape({ batch: 1 });
  const { heads = 1, headsKv = heads } = shape;
  if (heads > 2) tryShape({ heads: (2 * heads) / headsKv, headsKv: Math.min(2, headsKv) });
  while (computation.flops(shape, given.options) > mostFlops) {
    const { seqlen = 1, seqlenK = seqlen } = shape;
    // An odd rest shows what a whole number of tiles hides.
    const half = (size: number): number => Math.max(1, (size >> 1) | 1);
    if (seqlen <= 33 || !tryShape({ seqlen: half(seqlen), seqlenK: half(seqlenK) })) break;
  }
  return { name: 'own shape, made smaller', shape, options: given.options };
}

/** A shape without the sizes that follow from others: they go on doing so when the others change. */
function leaders({ dimensions }: Mechanism, shape: Shape): Shape {
  const follows = (name: string): boolean => {
    const spec = dimensions.find((dimension) => dimension.name === name);
    return spec !== undefined && followsLeaders(spec, shape);
  };
  return Object.fromEntries(Object.entries(shape).filter(([name]) => !follows(name)));
}
