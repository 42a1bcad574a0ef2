import type { Diagnostic, Span } from '../core/diagnostic.js';
import type { Plan, PlannedBuffer, PlannedPass } from '../core/kernel/model.js';
import type { OpenDevice } from './device.js';
import { attempt, fault, type GpuResult } from './failure.js';
import { limitFindings } from './limits.js';
import { plain, scoped, wait, type Patience } from './wait.js';

/** A text the driver compiles, and the way back from its offsets to the file the user sees. */
export interface ShaderText {
  readonly code: string;
  readonly toSource: (codeOffset: number) => number;
}

/** One pass ready to be dispatched. `groups` holds the buffers of each bind group, by group number. */
export interface CompiledPass {
  readonly planned: PlannedPass;
  readonly pipeline: GPUComputePipeline;
  readonly groups: readonly { readonly layout: GPUBindGroupLayout; readonly buffers: readonly PlannedBuffer[] }[];
}

/** A plan whose passes the driver has accepted. */
export interface CompiledKernel {
  readonly plan: Plan;
  readonly passes: readonly CompiledPass[];
  /** The driver's warnings and remarks. */
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * The driver's findings on a WGSL text, errors included, placed in the file. Only a lost, hung or broken device fails.
 */
export function inspect(open: OpenDevice, text: ShaderText, patience: Patience): Promise<GpuResult<Diagnostic[]>> {
  return attempt(async () => (await loadModule(open, text, patience)).diagnostics);
}

/**
 * Compiles every pass of a plan. Fails with `limits-exceeded` where the device does not suffice, with `compile-error`
 * (and the driver's findings) where the WGSL is wrong, and with `validation-error` where the plan does not fit it.
 * `overrideIds` gives the `@id` of the overrides that have one, by name.
 */
export function compile(
  open: OpenDevice,
  plan: Plan,
  overrideIds: ReadonlyMap<string, number>,
  patience: Patience,
): Promise<GpuResult<CompiledKernel>> {
  return attempt(async () => {
    const findings = limitFindings(plan, open.description);
    if (findings.length > 0) {
      throw fault(
        'limits-exceeded',
        findings.join(' '),
        'Choose smaller tiles or a smaller shape, or another adapter.',
      );
    }
    const shader = await cachedShader(open, plan, patience);
    const { diagnostics } = shader;
    const errors = diagnostics.filter(({ severity }) => severity === 'error');
    if (errors.length > 0) {
      const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : '';
      throw fault(
        'compile-error',
        `The driver does not compile the kernel: ${errors[0]!.message}${more}`,
        null,
        errors,
      );
    }
    const passes: CompiledPass[] = [];
    for (const planned of plan.passes) {
      passes.push(await compilePass(open, plan, planned, shader, overrideIds, patience));
    }
    return { plan, passes, diagnostics };
  });
}

interface Shader {
  readonly module: GPUShaderModule;
  readonly diagnostics: Diagnostic[];
}

/** A shader with the pipelines made from it: the cases of a kernel differ in little else. */
interface CachedShader extends Shader {
  readonly pipelines: Map<string, Pick<CompiledPass, 'pipeline'> & { readonly layouts: GPUBindGroupLayout[] }>;
}

const shadersKept = 4;
/** The shaders each device compiled last, by their code, oldest first. */
const shaders = new WeakMap<GPUDevice, Map<string, CachedShader>>();

async function cachedShader(open: OpenDevice, plan: Plan, patience: Patience): Promise<CachedShader> {
  const kept = shaders.get(open.device) ?? new Map<string, CachedShader>();
  shaders.set(open.device, kept);
  const shader = kept.get(plan.code) ?? { ...(await loadModule(open, plan, patience)), pipelines: new Map() };
  kept.delete(plan.code);
  kept.set(plan.code, shader);
  for (const oldest of [...kept.keys()].slice(0, -shadersKept)) kept.delete(oldest);
  return shader;
}

async function loadModule(open: OpenDevice, text: ShaderText, patience: Patience): Promise<Shader> {
  const { device } = open;
  // A wrong text is also a validation error of the device; its message repeats what the compilation info says better.
  device.pushErrorScope('validation');
  const module = device.createShaderModule({ code: text.code });
  const scope = device.popErrorScope();
  const [info, error] = await wait(open, Promise.all([module.getCompilationInfo(), scope]), 'Compiling', patience);
  const diagnostics = info.messages.map((message) => toDiagnostic(message, text));
  if (error !== null && !diagnostics.some(({ severity }) => severity === 'error')) {
    diagnostics.push({ ...finding('error', plain(error.message)), span: wordAt(0, 0, text) });
  }
  return { module, diagnostics };
}

function toDiagnostic(message: GPUCompilationMessage, text: ShaderText): Diagnostic {
  return { ...finding(message.type, message.message), span: wordAt(message.offset, message.length, text) };
}

function finding(severity: Diagnostic['severity'], message: string): Omit<Diagnostic, 'span'> {
  const words = message.trim();
  const sentence = words.charAt(0).toUpperCase() + words.slice(1);
  return { code: `driver-${severity}`, severity, message: sentence, remedy: null };
}

/**
 * The range in the file of a driver's finding. Offset and length count UTF-16 code units of the compiled text; where
 * the driver marks only a place, the range is widened to the word there, so that an editor has something to underline.
 */
function wordAt(offset: number, length: number, { code, toSource }: ShaderText): Span {
  const from = Math.min(offset, Math.max(0, code.length - 1));
  const word = /^\w+/.exec(code.slice(from, from + 128))?.[0].length ?? 0;
  const to = Math.min(code.length, from + Math.max(length, word, 1));
  const start = toSource(from);
  // The end is mapped through the last character: what follows may stand elsewhere in the file.
  return { start, end: Math.max(start + 1, toSource(Math.max(from, to - 1)) + 1) };
}

async function compilePass(
  open: OpenDevice,
  plan: Plan,
  planned: PlannedPass,
  shader: CachedShader,
  overrideIds: ReadonlyMap<string, number>,
  patience: Patience,
): Promise<CompiledPass> {
  const used = plan.buffers.filter(({ variable }) => planned.variables.includes(variable));
  const groupCount = used.reduce((count, { group }) => Math.max(count, group + 1), 0);
  const groups = Array.from({ length: groupCount }, (_, group) => used.filter((buffer) => buffer.group === group));
  const constants = Object.fromEntries(
    Object.entries(plan.constants).map(([name, value]) => [String(overrideIds.get(name) ?? name), value]),
  );
  const bindings = groups.map((buffers) => buffers.map(({ binding, type }) => [binding, type]));
  const key = JSON.stringify([planned.entry, constants, bindings]);
  const made =
    shader.pipelines.get(key) ?? (await makePipeline(open, planned.entry, shader, groups, constants, patience));
  shader.pipelines.set(key, made);
  const { pipeline, layouts } = made;
  return { planned, pipeline, groups: groups.map((buffers, group) => ({ layout: layouts[group]!, buffers })) };
}

async function makePipeline(
  open: OpenDevice,
  entryPoint: string,
  { module }: Shader,
  groups: readonly (readonly PlannedBuffer[])[],
  constants: Record<string, number>,
  patience: Patience,
): Promise<{ pipeline: GPUComputePipeline; layouts: GPUBindGroupLayout[] }> {
  const { device } = open;
  return scoped(open, `Preparing the entry point "${entryPoint}"`, patience, async () => {
    const layouts = groups.map((buffers) =>
      device.createBindGroupLayout({
        entries: buffers.map(({ binding, type }) => ({
          binding,
          visibility: GPUShaderStage.COMPUTE,
          buffer: { type },
        })),
      }),
    );
    const layout = device.createPipelineLayout({ bindGroupLayouts: layouts });
    const request = device
      .createComputePipelineAsync({ layout, compute: { module, entryPoint, constants } })
      .catch((error: unknown) => {
        throw pipelineFault(entryPoint, error);
      });
    const pipeline = await wait(open, request, `Compiling "${entryPoint}"`, patience);
    return { pipeline, layouts };
  });
}

function pipelineFault(entry: string, error: unknown): Error {
  if (!(error instanceof Error) || error.name !== 'GPUPipelineError') {
    return error instanceof Error ? error : new Error(String(error));
  }
  const reason = 'reason' in error && error.reason === 'internal' ? 'internal' : 'validation';
  return reason === 'validation'
    ? fault(
        'validation-error',
        `The entry point "${entry}" cannot be made into a pipeline: ${plain(error.message)}`,
        'Make its bindings, overrides and workgroup size agree with the front matter and with the device.',
      )
    : fault(
        'internal',
        `The driver failed to compile the entry point "${entry}": ${plain(error.message)}`,
        'The WGSL is valid, so this is a limit or a fault of the driver: simplify the kernel or use smaller tiles.',
      );
}
