import { mechanisms } from '../core/attention/catalogue.js';
import { readKernel } from '../core/kernel/read.js';
import { schemaVersion } from '../lab/contract.js';
import { readBuiltInKernels } from './files.js';
import type { Paint } from './text.js';
import { table } from './text.js';

interface Listed {
  readonly name: string;
  readonly direction: string;
  readonly formats: readonly string[];
  readonly cases: number;
  readonly passes: readonly string[];
}

/** Every mechanism of the catalogue with the computations it has a reference for, and the kernels that come along. */
export function listText(paint: Paint, json: boolean): string {
  const kernels = readBuiltInKernels().map(({ name, text }) => ({ name, kernel: readKernel(text, name) }));
  const listed = mechanisms.map((mechanism) => ({
    mechanism,
    kernels: kernels.flatMap(({ name, kernel }): Listed[] => {
      if (kernel?.mechanism?.id !== mechanism.id) return [];
      const uses = [...kernel.uses.values()];
      const formats = [...new Set(uses.flatMap((use) => (use.kind === 'tensor' ? use.format : [])))];
      const passes = kernel.passes.map(({ entry }) => entry);
      const direction = kernel.computation?.direction ?? 'forward';
      return [{ name, direction, formats, cases: kernel.cases.length, passes }];
    }),
  }));
  if (json) {
    const rows = listed.map(({ mechanism: { id, title, summary, computations }, kernels: own }) => ({
      ...{ id, title, summary },
      references: computations.map(({ direction }) => direction),
      kernels: own,
    }));
    return JSON.stringify({ schemaVersion, mechanisms: rows }, null, 2);
  }
  const blocks = listed.map(({ mechanism, kernels: own }) => {
    const references = mechanism.computations.map(({ direction }) => direction).join(', ');
    const rows = own.map(({ name, direction, formats, passes, cases }) => [
      { text: name },
      { text: direction },
      { text: formats.join(', ') },
      { text: passes.join(' → ') },
      { text: `${cases} cases`, align: 'right' as const },
    ]);
    const head = `${paint.strong(mechanism.id)}  ${mechanism.summary}\n  ${paint.faint(`reference: ${references}`)}`;
    return rows.length > 0 ? `${head}\n${table(rows, '  ')}` : `${head}\n  no kernels yet`;
  });
  return blocks.join('\n\n');
}
