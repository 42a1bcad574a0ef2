import type { Plan, PlannedPass } from '../core/kernel/model.js';
import type { AdapterDescription } from './device.js';

/** Bytes kept free before and after every output, where its guard words stand. A multiple of every offset alignment. */
export const guardBytes = 256;

/**
 * What a plan needs beyond what the device has, one sentence for each: what is needed, and what there is. Empty where
 * the device suffices. Looking beforehand gives better words than the driver's errors, which differ between drivers.
 */
export function limitFindings(plan: Plan, device: AdapterDescription): readonly string[] {
  return [
    ...plan.features
      .filter((feature) => !device.features.includes(feature))
      .map((feature) => `The kernel needs the feature "${feature}", which this device does not have.`),
    ...bufferFindings(plan, device),
    ...plan.passes.flatMap((pass) => passFindings(pass, plan, device)),
  ];
}

function bufferFindings(plan: Plan, { limits }: AdapterDescription): string[] {
  const findings: string[] = [];
  for (const { variable, type, byteLength, content } of plan.buffers) {
    const uniform = type === 'uniform';
    const bindingLimit = limits[uniform ? 'maxUniformBufferBindingSize' : 'maxStorageBufferBindingSize']!;
    const guarded = content.kind === 'tensor' && content.role === 'output';
    const allocated = byteLength + (guarded ? 2 * guardBytes : 0);
    if (byteLength > bindingLimit) {
      const kind = uniform ? 'uniform' : 'storage';
      findings.push(
        `"${variable}" takes ${bytes(byteLength)}, and a ${kind} binding of this device holds at most ${bytes(bindingLimit)}.`,
      );
    } else if (allocated > limits.maxBufferSize!) {
      findings.push(
        `"${variable}" needs a buffer of ${bytes(allocated)}, and this device allows ${bytes(limits.maxBufferSize!)}.`,
      );
    }
  }
  return findings;
}

function passFindings(pass: PlannedPass, plan: Plan, { limits }: AdapterDescription): string[] {
  const findings: string[] = [];
  const need = (what: string, needed: number, limit: string, unit: (n: number) => string): void => {
    const has = limits[limit]!;
    if (needed > has) findings.push(`"${pass.entry}" needs ${unit(needed)} ${what}, and this device has ${unit(has)}.`);
  };
  const plainly = (n: number): string => String(n);
  const used = plan.buffers.filter(({ variable }) => pass.variables.includes(variable));
  const uniforms = used.filter(({ type }) => type === 'uniform').length;
  const [x, y, z] = pass.workgroupSize;

  need('of workgroup memory', pass.workgroupBytes, 'maxComputeWorkgroupStorageSize', bytes);
  need('invocations per workgroup', x * y * z, 'maxComputeInvocationsPerWorkgroup', plainly);
  need('invocations per workgroup along x', x, 'maxComputeWorkgroupSizeX', plainly);
  need('invocations per workgroup along y', y, 'maxComputeWorkgroupSizeY', plainly);
  need('invocations per workgroup along z', z, 'maxComputeWorkgroupSizeZ', plainly);
  need('storage buffers', used.length - uniforms, 'maxStorageBuffersPerShaderStage', plainly);
  need('uniform buffers', uniforms, 'maxUniformBuffersPerShaderStage', plainly);
  need(
    'bind groups',
    used.reduce((n, { group }) => Math.max(n, group + 1), 0),
    'maxBindGroups',
    plainly,
  );
  need('workgroups in one dimension', Math.max(...pass.workgroups), 'maxComputeWorkgroupsPerDimension', plainly);
  return findings;
}

/** A size for people: bytes below 1 KiB, else KiB or MiB with one decimal where it is not whole. */
export function bytes(count: number): string {
  if (count < 1024) return `${count} bytes`;
  const [value, unit] = count < 1024 * 1024 ? [count / 1024, 'KiB'] : [count / (1024 * 1024), 'MiB'];
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${unit}`;
}
