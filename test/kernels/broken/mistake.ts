/** One mistake in a built-in kernel, as people make them. */
export interface Mistake {
  readonly name: string;
  /** Text that stands exactly once in the kernel, and what the mistake makes of it. */
  readonly find: string;
  readonly replace: string;
  /** The case of the kernel (of its mechanism's grid, unless it lists its own) that shows the mistake. */
  readonly caughtBy: string;
  /** What goes wrong. */
  readonly why: string;
  /** Why the simulator cannot show it, where it cannot: it is then tried on the device. */
  readonly onlyOnDevice?: string;
}
