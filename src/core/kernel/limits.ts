import type { Mechanism, Options, Shape } from '../attention/mechanism.js';

/** Why a kernel cannot run at a complete shape, in words: the mechanism has no such shape, or it is over `limits`; or null. */
export function impossibleCase(mechanism: Mechanism, shape: Shape, options: Options, limits: Shape): string | null {
  return mechanism.validate(shape, options) ?? overLimit(shape, limits);
}

/** The first size that is larger than a kernel's limits allow, in words, or null. Dimensions without a limit may be any. */
function overLimit(shape: Shape, limits: Shape): string | null {
  for (const [name, most] of Object.entries(limits)) {
    const size = shape[name];
    if (size !== undefined && size > most) return `${name} is ${size}, and this kernel takes ${most} at most.`;
  }
  return null;
}
