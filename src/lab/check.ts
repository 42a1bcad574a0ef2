import type { Diagnostic } from '../core/diagnostic.js';
import type { Kernel, Plan } from '../core/kernel/model.js';
import { planKernel } from '../core/kernel/plan.js';
import { readKernel } from '../core/kernel/read.js';
import { hashText } from '../core/kernel/hash.js';
import { compile, inspect } from '../gpu/compile.js';
import type { CheckReport, KernelSource } from './contract.js';
import { LabFault, unwrap } from './failure.js';
import type { Bench } from './workbench.js';

/**
 * The driver's findings on a kernel file: those of the shader compiler, and what stands in the way of its pipelines at
 * the file's own shape. Mistakes in the front matter are not repeated here: whoever holds the text knows them already.
 */
export async function check(bench: Bench, { name, text }: KernelSource): Promise<CheckReport> {
  const { open, compilePatience, info } = bench;
  const kernel = readKernel(text, name);
  const planned = kernel && planKernel(kernel, kernel.shape, kernel.options);
  const plan = planned?.ok ? planned.plan : null;
  const shader = plan ?? kernel?.module ?? { code: text, toSource: (offset: number) => offset };
  const findings = unwrap(await inspect(open, shader, compilePatience));
  const broken = findings.some(({ severity }) => severity === 'error');
  const more = kernel && plan && !broken ? await checkPipelines(bench, kernel, plan) : [];
  return { hash: kernel?.hash ?? hashText(text), diagnostics: [...findings, ...more], device: info };
}

async function checkPipelines({ open, compilePatience }: Bench, kernel: Kernel, plan: Plan): Promise<Diagnostic[]> {
  const ids = kernel.module.overrides.flatMap(({ name, id }) => (id === null ? [] : [[name, id] as const]));
  const result = await compile(open, plan, new Map(ids), compilePatience);
  if (result.ok) return [];
  const { kind, message, remedy } = result.failure;
  if (kind !== 'validation-error' && kind !== 'limits-exceeded' && kind !== 'compile-error') {
    throw new LabFault(result.failure);
  }
  const entry =
    kernel.module.entryPoints.find(({ name }) => message.includes(`"${name}"`)) ?? kernel.module.entryPoints[0];
  const span = entry?.nameSpan ?? kernel.frontMatterSpan;
  return [{ code: kind, severity: 'error', span, message, remedy }];
}
