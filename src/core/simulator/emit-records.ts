import type { Span } from '../diagnostic.js';
import type { ValueType } from '../wgsl/program.js';
import type { Components } from './component.js';
import type { FunctionContext } from './emit-context.js';
import { scalarOf } from './flatten.js';
import { unsigned } from './emit-arithmetic.js';

/** Most scalars of a value that is recorded: larger ones are named in parts by their assignments. */
const widest = 16;

/** Writes the recording of a value that a name was just given, in the texts that record values. */
export function record(
  name: string | null,
  { span, type }: { readonly span: Span; readonly type: ValueType },
  parts: Components,
  { pass, writer }: FunctionContext,
): void {
  if (!pass.variant.values || name === null || parts.length === 0 || parts.length > widest) return;
  if (['struct', 'array', 'pointer', 'subgroup-matrix'].includes(type.kind)) return;
  const scalar = scalarOf(type);
  const place = pass.addRecord({ name, span, booleans: scalar === 'bool' });
  const codes = parts.map((part) => (scalar === 'u32' ? unsigned(part) : part.code));
  writer.line(`if (S[3] !== 0) recorded(${place}, [${codes.join(', ')}]);`);
}
