import type { Inputs, TensorSpec, Tolerance } from '../core/attention/mechanism.js';
import { hasTokens, placeSegment, segmentInputs, segmentShape } from '../core/attention/segments.js';
import { elementCount, tensorDims } from '../core/attention/sizes.js';
import type { KernelCase, Plan } from '../core/kernel/model.js';
import { unpackTensor } from '../core/kernel/tensor.js';
import { judgeTensor } from '../core/numerics/compare.js';
import type { TensorVerdict } from '../core/numerics/verdict.js';
import { shortNumber } from '../core/numerics/verdict-sentence.js';
import type { OutputBytes } from '../gpu/run.js';
import { bound, type ConsistencyPlan, type PlannedCheck, type Segment } from './consistency-plan.js';
import { caseKey } from './compare-report.js';
import type { ConsistencyCheck, ConsistencyReport, DeviceInfo, Progress } from './contract.js';
import { endsJob, toFailure } from './failure.js';
import { planCase, type ReadyKernel } from './prepare.js';
import { storedInputs } from './truth.js';

/** A run that a check needs: a kernel, planned for a case, and its inputs. Runs with the same key have the same plan. */
export interface RunRequest {
  readonly key: string;
  readonly ready: ReadyKernel;
  readonly theCase: KernelCase;
  readonly plan: Plan;
  readonly inputs: Inputs;
  readonly progress: Progress;
}

/** Each of two results may be off by the bound, and so they may differ by twice that. */
const apart = 2;
/** The bound on outputs that are stored, or made from a state that is stored, as f16. */
const halfBound = 5e-3;

/** One output of a whole sequence, put together from its parts. */
interface Gathered {
  readonly spec: TensorSpec;
  readonly values: Float32Array;
  readonly states: Uint8Array;
}

/** What a chain of runs led to. */
interface ChainResult {
  readonly outputs: ReadonlyMap<string, Gathered>;
  /** True where a tensor that takes part is stored as f16. */
  readonly half: boolean;
}

/** The case that a segment of a check runs on. */
export function segmentCase({ recurrence }: ConsistencyPlan, { theCase }: PlannedCheck, part: Segment): KernelCase {
  const shape = segmentShape(recurrence, theCase.shape, part.to - part.from);
  const options = recurrence.optionsAfter?.(theCase.options, part.from) ?? theCase.options;
  return { name: theCase.name, shape, options };
}

/** The same text for runs of the same kernel at the same case. */
export function runKey({ kernel }: Segment, theCase: KernelCase): string {
  return `${kernel} ${caseKey(theCase)}`;
}

/**
 * Goes through the checks of a plan: asks for each run by yielding it, takes what it left in the outputs, and reports.
 * Whoever runs the kernels throws into it what stops a run; that is part of the check it belongs to.
 */
export function* runChecks(
  plan: ConsistencyPlan,
  seed: number,
  device: DeviceInfo,
): Generator<RunRequest, ConsistencyReport, readonly OutputBytes[]> {
  const started = performance.now();
  const runner = new Runner(plan, seed);
  const checks: ConsistencyCheck[] = [];
  for (const check of plan.checks) checks.push(yield* runner.check(check, checks.length));
  const { mechanism, kernels, skipped } = plan;
  return {
    hash: kernels[0]!.kernel.hash,
    mechanism: mechanism.id,
    kernels: kernels.map(({ kernel, computation }) => ({
      name: kernel.name,
      hash: kernel.hash,
      direction: computation.direction,
    })),
    passed: checks.every(({ passed }) => passed),
    sentence: reportSentence(checks),
    checks,
    skipped,
    seed,
    device,
    elapsedMs: performance.now() - started,
  };
}

class Runner {
  private readonly plans = new Map<string, Plan>();
  private readonly results = new Map<string, ChainResult>();
  private readonly inputs = new Map<string, Inputs>();

  constructor(
    private readonly plan: ConsistencyPlan,
    private readonly seed: number,
  ) {}

  *check(check: PlannedCheck, index: number): Generator<RunRequest, ConsistencyCheck, readonly OutputBytes[]> {
    const { kind, theCase, found } = check;
    const names = [
      ...new Set([...check.expected, ...found].map(({ kernel }) => this.plan.kernels[kernel]!.kernel.name)),
    ];
    const { shape, options } = theCase;
    const about = { kind, kernels: names, title: titleOf(check, (part) => this.nameOf(part)), shape, options };
    try {
      const right = yield* this.chain(check, check.expected, index);
      const left = yield* this.chain(check, found, index);
      return { ...about, ...this.judge(check, right, left), failure: null };
    } catch (error) {
      const failure = toFailure(error);
      if (endsJob(failure)) throw error;
      return { ...about, passed: false, sentence: failure.message, tensors: [], failure };
    }
  }

  /** The name of a kernel's file without its folder and ending, as far as that tells it from the others. */
  private nameOf({ kernel }: Segment): string {
    const names = this.plan.kernels.map((each) => each.kernel.name);
    const short = (name: string): string => name.replace(/^.*[/\\]/, '').replace(/\.wgsl$/, '');
    const own = names[kernel]!;
    return names.filter((name) => short(name) === short(own)).length === 1 ? short(own) : own;
  }

  private *chain(
    check: PlannedCheck,
    segments: readonly Segment[],
    index: number,
  ): Generator<RunRequest, ChainResult, readonly OutputBytes[]> {
    const starts = this.startsOf(check);
    const key = JSON.stringify([segments, caseKey(check.theCase), [...starts]]);
    const known = this.results.get(key);
    if (known) return known;
    const all = this.inputsOf(check.theCase);
    const gathered = new Map<string, Gathered>();
    const written: ReadonlySet<string>[] = [];
    const carried: Record<string, Float32Array> = {};
    let half = false;
    for (const [at, part] of segments.entries()) {
      const request = this.requestFor(check, part, { ...all, ...this.zeros(check, starts), ...carried });
      const fraction = (index + at / segments.length) / this.plan.checks.length;
      const outputs = yield { ...request, progress: { message: this.progressOf(index, check), fraction } };
      half ||= request.plan.buffers.some(({ content }) => content.kind === 'tensor' && content.view.format === 'f16');
      written.push(this.gather(check, part, request.ready, outputs, gathered, carried));
    }
    // An output that only some of the kernels have is whole in none of its parts.
    const whole = [...gathered].filter(([name]) => written.every((names) => names.has(name)));
    const result = { outputs: new Map(whole), half };
    this.results.set(key, result);
    return result;
  }

  private progressOf(index: number, { kind }: PlannedCheck): string {
    return `check ${index + 1} of ${this.plan.checks.length}: ${kindWords[kind]}`;
  }

  /** The states that the first kernels of both ways take up: only these need not be zero before the first token. */
  private startsOf({ expected, found }: PlannedCheck): ReadonlySet<string> {
    const firsts = [expected[0]!, found[0]!].map(({ kernel }) => this.plan.kernels[kernel]!);
    const inputs = Object.values(this.plan.recurrence.states);
    return new Set(inputs.filter((input) => firsts.every((kernel) => bound(kernel, input))));
  }

  private zeros({ theCase }: PlannedCheck, starts: ReadonlySet<string>): Inputs {
    const whole = this.inputsOf(theCase);
    const others = Object.values(this.plan.recurrence.states).filter((input) => !starts.has(input) && whole[input]);
    return Object.fromEntries(others.map((input) => [input, new Float32Array(whole[input]!.length)]));
  }

  /** The inputs of a whole sequence, of every tensor that a kernel of the mechanism may bind. */
  private inputsOf({ shape, options, name }: KernelCase): Inputs {
    const key = caseKey({ name, shape, options });
    const known = this.inputs.get(key);
    if (known) return known;
    const all = this.plan.kernels
      .filter(({ computation }) => computation.direction !== 'backward')
      .map(({ computation }) => computation.generate(shape, options, this.seed));
    const merged = Object.assign({}, ...all) as Inputs;
    this.inputs.set(key, merged);
    return merged;
  }

  private requestFor(check: PlannedCheck, part: Segment, whole: Inputs): Omit<RunRequest, 'progress'> {
    const ready = this.plan.kernels[part.kernel]!;
    const theCase = segmentCase(this.plan, check, part);
    const key = runKey(part, theCase);
    const plan = this.plans.get(key) ?? planCase(ready, theCase);
    this.plans.set(key, plan);
    const { tensors } = ready.computation;
    const inputs = segmentInputs(this.plan.recurrence, tensors, check.theCase.shape, whole, part);
    return { key, ready, theCase, plan, inputs: storedInputs(plan, inputs) };
  }

  /** Puts the outputs of a part in their places, and its state in the way of the next part. Returns their names. */
  private gather(
    { theCase }: PlannedCheck,
    part: Segment,
    { computation }: ReadyKernel,
    outputs: readonly OutputBytes[],
    gathered: Map<string, Gathered>,
    carried: Record<string, Float32Array>,
  ): ReadonlySet<string> {
    const { recurrence } = this.plan;
    const written = new Set<string>();
    for (const { planned, bytes } of outputs) {
      const { content } = planned;
      if (content.kind !== 'tensor') continue;
      const spec = computation.tensors.find(({ name }) => name === content.tensor);
      if (!spec) continue;
      written.add(spec.name);
      const { values, states } = unpackTensor(content.view, bytes);
      const input = recurrence.states[spec.name];
      if (input !== undefined) {
        carried[input] = values;
        gathered.set(spec.name, { spec, values, states });
      } else if (hasTokens(recurrence, spec.dims)) {
        const whole = gathered.get(spec.name) ?? empty(spec, theCase.shape);
        gathered.set(spec.name, whole);
        placeSegment(recurrence, spec.dims, theCase.shape, whole.values, values, part);
        placeSegment(recurrence, spec.dims, theCase.shape, whole.states, states, part);
      }
    }
    return written;
  }

  private judge(
    { theCase, expected }: PlannedCheck,
    right: ChainResult,
    left: ChainResult,
  ): Pick<ConsistencyCheck, 'passed' | 'sentence' | 'tensors'> {
    const broken = [...right.outputs.values()].find(({ states }) => states.some((state) => state !== 0));
    if (broken) {
      const who = this.nameOf(expected[0]!);
      const sentence = `The one run of ${who} leaves elements of ${broken.spec.name} that are no numbers: compare it first.`;
      return { passed: false, sentence, tensors: [] };
    }
    const half = right.half || left.half;
    const tensors = [...left.outputs.values()].flatMap(({ spec, values, states }): TensorVerdict[] => {
      const truth = right.outputs.get(spec.name);
      if (!truth) return [];
      const dims = tensorDims(spec.dims, theCase.shape);
      const tolerance = toleranceOf(spec, half);
      const reference = { dims, rows: null, values: truth.values, exactRows: null, tolerance };
      const question = { spec, direction: 'forward', format: 'f32', guardsTouched: 0, withMap: false } as const;
      return [judgeTensor({ ...question, reference, baseline: reference, values, states })];
    });
    const passed = tensors.length > 0 && tensors.every((tensor) => tensor.passed);
    return { passed, sentence: checkSentence(tensors), tensors };
  }
}

function empty(spec: TensorSpec, shape: KernelCase['shape']): Gathered {
  const count = elementCount(tensorDims(spec.dims, shape));
  return { spec, values: new Float32Array(count), states: new Uint8Array(count) };
}

function toleranceOf({ tolerance }: TensorSpec, half: boolean): Tolerance {
  const { kind, bound: own } = tolerance ?? { kind: 'ratio', bound: 2e-5 };
  return { kind, bound: apart * (half && kind === 'ratio' ? Math.max(own, halfBound) : own) };
}

const kindWords: Readonly<Record<ConsistencyCheck['kind'], string>> = {
  resume: 'split and resumed',
  decode: 'token by token',
  'decode-blocks': 'block by block',
  same: 'another kernel',
};

/** What is held to what, in words. What is not named is the run of the first kernel over all tokens. */
function titleOf({ kind, expected, found }: PlannedCheck, nameOf: (part: Segment) => string): string {
  const one = expected[0]!;
  const [first] = found;
  const last = found.at(-1)!;
  switch (kind) {
    case 'resume':
      return `${nameOf(one)}: ${first!.to} tokens, then ${last.to - last.from} from its state`;
    case 'same':
      return `${nameOf(last)} against ${nameOf(one)}: ${one.to} tokens`;
    case 'decode':
    case 'decode-blocks': {
      const { from, to } = found.find(({ kernel }) => kernel === last.kernel)!;
      const steps = `${nameOf(last)} ${to - from === 1 ? 'token by token' : `${to - from} tokens at a time`}`;
      if (first!.kernel !== last.kernel) return `${nameOf(one)}: ${first!.to} tokens, then ${steps}`;
      return one.kernel === last.kernel ? `${steps}, against one run` : `${steps} against ${nameOf(one)}`;
    }
  }
}

function checkSentence(tensors: readonly TensorVerdict[]): string {
  const wrong = tensors.filter(({ passed }) => !passed);
  if (tensors.length === 0) return 'The two have no output in common.';
  if (wrong.length > 0) return wrong.map(({ sentence }) => sentence).join(' ');
  const names = new Intl.ListFormat('en-GB').format(tensors.map(({ name }) => name));
  const worst = tensors.reduce((a, b) => ((b.rmsRatio ?? 0) > (a.rmsRatio ?? 0) ? b : a));
  const verb = tensors.length === 1 ? 'agrees' : 'agree';
  return `${names} ${verb}: they differ by ${shortNumber(worst.rmsRatio ?? 0)} (RMS) where ${shortNumber(worst.bound)} is allowed.`;
}

function reportSentence(checks: readonly ConsistencyCheck[]): string {
  const wrong = checks.filter(({ passed }) => !passed);
  const count = checks.length === 1 ? 'the one check' : `all ${checks.length} checks`;
  const [first] = wrong;
  if (!first) return `Consistent in ${count}.`;
  return `Inconsistent in ${wrong.length} of ${checks.length} checks, first in "${first.title}": ${first.sentence}`;
}
