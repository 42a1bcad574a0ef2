import type { Mechanism, Options, Recurrence, Shape } from '../core/attention/mechanism.js';
import { segmentShape, type Tokens } from '../core/attention/segments.js';
import { takesCase } from '../core/kernel/fit.js';
import type { KernelCase } from '../core/kernel/model.js';
import type { CaseOverride, ConsistencyCheck, KernelSource } from './contract.js';
import { LabFault } from './failure.js';
import { chosenCase, readyKernel, type ReadyKernel } from './prepare.js';

/** A run of a kernel over some tokens of a sequence. */
export interface Segment extends Tokens {
  /** Index into the kernels of the plan. */
  readonly kernel: number;
}

/** Two ways through the same sequence that must lead to the same outputs and the same state. */
export interface PlannedCheck {
  readonly kind: ConsistencyCheck['kind'];
  /** The shape and options of the whole sequence. */
  readonly theCase: KernelCase;
  /** Runs one after another; each takes up the state that the one before it left. */
  readonly expected: readonly Segment[];
  readonly found: readonly Segment[];
}

/** The kernels of one mechanism, and what is to be checked between them. */
export interface ConsistencyPlan {
  readonly mechanism: Mechanism;
  readonly recurrence: Recurrence;
  readonly kernels: readonly ReadyKernel[];
  readonly checks: readonly PlannedCheck[];
  /** What cannot be checked, and why. */
  readonly skipped: readonly { readonly kernel: string; readonly reason: string }[];
}

/** Tokens before the cut and after it, together no multiple of a chunk either; whole blocks divide the latter. */
const usualCut = { before: 91, after: 28 } as const;
/** Steps that a block of a decoding kernel takes at once. */
const blockSteps = 4;
/** Batches and heads that show what one of each would hide. */
const fewSizes: Shape = { batch: 2, heads: 2 };

/**
 * What can be checked between kernels of one mechanism: each on its own case, made small, or on the override's. Throws
 * `invalid-kernel` for a kernel that cannot be read, for kernels of several mechanisms or of one without a state, and
 * where there is nothing to check.
 */
export function planConsistency(sources: readonly KernelSource[], override: CaseOverride | null): ConsistencyPlan {
  const kernels = sources.map((source) => readyKernel(source));
  const [first] = kernels;
  if (!first) throw wrongKernels('There is no kernel to check.', null);
  const { mechanism } = first;
  const other = kernels.find((kernel) => kernel.mechanism.id !== mechanism.id);
  if (other) {
    const names = `${first.kernel.name} computes ${mechanism.id} and ${other.kernel.name} ${other.mechanism.id}`;
    throw wrongKernels(`${names}.`, 'Check the kernels of one mechanism at a time.');
  }
  const { recurrence } = mechanism;
  if (recurrence === null) {
    throw wrongKernels(`${mechanism.id} has no state that one run could hand on to the next.`, null);
  }
  const planner = new Planner(mechanism, recurrence, kernels, override);
  planner.planAll();
  const { checks, skipped } = planner;
  if (checks.length === 0) {
    const reasons = skipped.map(({ kernel, reason }) => `${kernel}: ${reason}`);
    throw wrongKernels(['There is nothing to check.', ...reasons].join(' '), 'Add another kernel of the mechanism.');
  }
  return { mechanism, recurrence, kernels, checks, skipped };
}

function wrongKernels(message: string, remedy: string | null): LabFault {
  return new LabFault({ kind: 'invalid-kernel', message, remedy, diagnostics: [] });
}

/** How the sequence of a case is cut. */
interface Cut {
  readonly theCase: KernelCase;
  readonly tokens: number;
  readonly before: number;
  /** Tokens of the smallest step: one, or as many as the equations take at once. */
  readonly step: number;
}

class Planner {
  readonly checks: PlannedCheck[] = [];
  readonly skipped: { readonly kernel: string; readonly reason: string }[] = [];

  constructor(
    private readonly mechanism: Mechanism,
    private readonly recurrence: Recurrence,
    private readonly kernels: readonly ReadyKernel[],
    private readonly override: CaseOverride | null,
  ) {}

  planAll(): void {
    const forward = this.indicesOf('forward');
    const decoding = this.indicesOf('decode');
    for (const kernel of this.indicesOf('backward')) this.skip(kernel, 'it computes gradients.');
    const held = new Set<number>();
    for (const [at, kernel] of forward.entries()) {
      const cut = this.cutFor(kernel);
      if (cut === null) continue;
      this.planResume(kernel, cut);
      for (const decode of decoding) if (this.planDecoding(kernel, decode, cut)) held.add(decode);
      for (const later of forward.slice(at + 1)) this.planSame(kernel, later, cut);
    }
    for (const decode of decoding.filter((kernel) => !held.has(kernel))) this.planAlone(decode);
  }

  private indicesOf(direction: string): readonly number[] {
    return this.kernels.flatMap(({ computation }, at) => (computation.direction === direction ? [at] : []));
  }

  private skip(kernel: number, reason: string): void {
    this.skipped.push({ kernel: this.kernels[kernel]!.kernel.name, reason });
  }

  /** The case of a kernel and where its sequence is cut; null, with the reason, where it cannot be. */
  private cutFor(kernel: number): Cut | null {
    const ready = this.kernels[kernel]!;
    const { recurrence, mechanism } = this;
    const { takes, shape: own, options: ownOptions } = ready.kernel;
    const given = this.override ?? { shape: {}, options: {} };
    const options = { ...given.options, ...recurrence.options };
    const step = recurrence.grain?.({ ...own, ...given.shape }, { ...ownOptions, ...options }) ?? 1;
    const asked = recurrence.tokens.map((name) => given.shape[name]).find((size) => size !== undefined);
    const isFree = asked === undefined && recurrence.tokens.some((name) => takes.has(name));
    const before = Math.max(1, Math.round(usualCut.before / step)) * step;
    const blocks = Math.max(1, Math.round(usualCut.after / (blockSteps * step)));
    const tokens = isFree ? before + blocks * blockSteps * step : (asked ?? own[recurrence.tokens[0]!]!);
    const shape = segmentShape(recurrence, given.shape, tokens);
    const theCase = caseOf(ready, shape, options);
    if (typeof theCase === 'string' || !takesCase(ready.kernel, mechanism, theCase.shape, theCase.options)) {
      const wanted = Object.entries(recurrence.options).map(([option, value]) => `${option} ${String(value)}`);
      const words = `it does not take ${[`${tokens} tokens`, ...wanted].join(', ')}.`;
      this.skip(kernel, typeof theCase === 'string' ? theCase : words);
      return null;
    }
    return { theCase, tokens, before: isFree ? before : Math.floor((0.6 * tokens) / step) * step, step };
  }

  private planResume(kernel: number, { theCase, tokens, before }: Cut): void {
    const reason = this.whyNotFollowed(kernel, kernel);
    if (reason !== null) {
      this.skip(kernel, reason);
      return;
    }
    if (before < 1 || !this.takes(kernel, theCase, before) || !this.takes(kernel, theCase, tokens - before)) {
      this.skip(kernel, `its ${tokens} tokens cannot be cut in two.`);
      return;
    }
    const parts: readonly Segment[] = [
      { kernel, from: 0, to: before },
      { kernel, from: before, to: tokens },
    ];
    this.checks.push({ kind: 'resume', theCase, expected: [whole(kernel, tokens)], found: parts });
  }

  /** Decoding against a kernel of whole sequences, after a part of it where that hands on its state. */
  private planDecoding(kernel: number, decode: number, cut: Cut): boolean {
    const { theCase, tokens, before, step } = cut;
    if (this.whyNotFollowed(decode, decode) !== null) return false;
    const prefilled = this.whyNotFollowed(kernel, decode) === null && before > 0 && this.takes(kernel, theCase, before);
    const start = prefilled ? before : 0;
    const head = prefilled ? [{ kernel, from: 0, to: before }] : [];
    return this.planSteps(decode, cut, [whole(kernel, tokens)], head, start, step);
  }

  /** A decoding kernel against itself: all tokens in one run, where it takes as many. */
  private planAlone(decode: number): void {
    const reason = this.whyNotFollowed(decode, decode);
    const cut = reason === null ? this.cutFor(decode) : null;
    if (reason !== null) this.skip(decode, reason);
    if (cut === null) return;
    const planned = this.planSteps(decode, cut, [whole(decode, cut.tokens)], [], 0, cut.step);
    if (!planned) this.skip(decode, 'there is no other kernel to hold its tokens to.');
  }

  private planSteps(
    decode: number,
    { theCase, tokens }: Cut,
    expected: readonly Segment[],
    head: readonly Segment[],
    start: number,
    step: number,
  ): boolean {
    let planned = false;
    for (const [kind, length] of [['decode', step] as const, ['decode-blocks', blockSteps * step] as const]) {
      const segments = stepsOf(decode, start, tokens, length);
      if (segments.length < 2 || !segments.every(({ from, to }) => this.takes(decode, theCase, to - from))) continue;
      this.checks.push({ kind, theCase, expected, found: [...head, ...segments] });
      planned = true;
    }
    return planned;
  }

  private planSame(kernel: number, other: number, { theCase, tokens }: Cut): void {
    if (!this.takes(other, theCase, tokens)) return;
    this.checks.push({ kind: 'same', theCase, expected: [whole(kernel, tokens)], found: [whole(other, tokens)] });
  }

  private takes(kernel: number, { shape, options }: KernelCase, tokens: number): boolean {
    return takesCase(
      this.kernels[kernel]!.kernel,
      this.mechanism,
      segmentShape(this.recurrence, shape, tokens),
      options,
    );
  }

  /** Why a kernel cannot go on from the state another one leaves, in words; null where it can. */
  private whyNotFollowed(before: number, after: number): string | null {
    const pairs = Object.entries(this.recurrence.states);
    const taken = pairs.filter(([, input]) => bound(this.kernels[after]!, input));
    if (taken.length === 0) return `it takes no state up: nothing is bound to ${pairs.map(([, to]) => to).join(', ')}.`;
    const missing = taken.filter(([output]) => !bound(this.kernels[before]!, output)).map(([output]) => output);
    return missing.length === 0 ? null : `it leaves no state behind: nothing is bound to ${missing.join(', ')}.`;
  }
}

/** True where a kernel binds a tensor. */
export function bound({ kernel }: ReadyKernel, tensor: string): boolean {
  return [...kernel.uses.values()].some((use) => use.kind === 'tensor' && use.tensor === tensor);
}

function whole(kernel: number, tokens: number): Segment {
  return { kernel, from: 0, to: tokens };
}

function stepsOf(kernel: number, start: number, end: number, length: number): readonly Segment[] {
  return Array.from({ length: Math.ceil((end - start) / length) }, (_, at) => ({
    kernel,
    from: start + at * length,
    to: Math.min(end, start + (at + 1) * length),
  }));
}

/** A case with few batches and heads, where the kernel takes those; else with its own. In words where there is none. */
function caseOf(ready: ReadyKernel, shape: Shape, options: Options): KernelCase | string {
  const { kernel, mechanism } = ready;
  const few = Object.entries(fewSizes).flatMap(([name, most]) => {
    const size = kernel.shape[name];
    return size !== undefined && kernel.takes.has(name) ? [[name, Math.min(size, most)] as const] : [];
  });
  let reason = '';
  for (const sizes of [Object.fromEntries(few), {}]) {
    try {
      const { shape: chosen, options: complete } = chosenCase(ready, { shape: { ...sizes, ...shape }, options });
      if (mechanism.validate(chosen, complete) === null)
        return { name: 'a sequence', shape: chosen, options: complete };
    } catch (error) {
      if (!(error instanceof LabFault)) throw error;
      reason = error.failure.message;
    }
  }
  return reason;
}
