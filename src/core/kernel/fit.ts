import { completeOptions, completeShape } from '../attention/catalogue.js';
import type { Mechanism, Options, OptionValue, Shape } from '../attention/mechanism.js';
import { followsLeaders } from '../attention/sizes.js';
import { optionScalars, takesDimension } from './cases.js';
import type { Kernel } from './model.js';

/** Whether a kernel of a mechanism takes in a complete shape and options, or has them as they are. */
export function takesCase(kernel: Kernel, mechanism: Mechanism, shape: Shape, options: Options): boolean {
  return takesShape(kernel, mechanism, shape) && takesOptions(kernel, mechanism, shape, options);
}

function takesShape({ shape, takes }: Kernel, mechanism: Mechanism, wanted: Shape): boolean {
  const fixed: Record<string, number> = {};
  for (const dimension of mechanism.dimensions) {
    const { name } = dimension;
    const taken = takesDimension(dimension, takes);
    const value = taken ? wanted[name] : followsLeaders(dimension, shape) ? undefined : shape[name];
    if (value !== undefined) fixed[name] = value;
  }
  const possible = completeShape(mechanism, fixed);
  return mechanism.dimensions.every(({ name }) => possible[name] === wanted[name]);
}

function takesOptions({ shape, options, takes }: Kernel, mechanism: Mechanism, at: Shape, wanted: Options): boolean {
  const usual = completeOptions(mechanism, shape, {});
  const fixed: Record<string, OptionValue> = {};
  for (const spec of mechanism.options) {
    const taken = spec.onlyInputs === true || optionScalars(spec).some((name) => takes.has(name));
    const own = options[spec.name]!;
    const value = taken ? wanted[spec.name] : same(own, usual[spec.name]) ? undefined : own;
    if (value !== undefined) fixed[spec.name] = value;
  }
  const possible = completeOptions(mechanism, at, fixed);
  return mechanism.options.every(({ name }) => same(possible[name], wanted[name]));
}

function same(a: OptionValue | undefined, b: OptionValue | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
