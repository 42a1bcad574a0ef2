import type { AttentionParts, TensorSpec } from '../attention/mechanism.js';
import type { TensorPart } from './schedule.js';
import { queriesAndKeys } from './tag-space.js';
import { isPaged } from './tensor-places.js';

const partNames: readonly TensorPart[] = ['query', 'key', 'value', 'output'];

/** The tensors that are a part: two where the linear part has queries and keys of its own. */
function namesOf(parts: AttentionParts, part: TensorPart): readonly string[] {
  switch (part) {
    case 'query':
      return queriesAndKeys(parts).queries;
    case 'key':
      return queriesAndKeys(parts).keys;
    case 'value':
    case 'output':
      return [parts[part]];
  }
}

/**
 * What each tensor of a computation is in the products of queries, keys and values: by its name, as the gradient of one
 * that has it or what becomes of it, or, where queries and keys are counted by different dimensions, by what it has a row for (a part of keys
 * that is rotated has one for each key). A latent is keys and values. Nothing for a tensor that is none of them.
 */
export function partsOfTensors(
  parts: AttentionParts,
  tensors: readonly TensorSpec[],
): ReadonlyMap<string, readonly TensorPart[]> {
  const rowsOf = (name: string): string | null => tensors.find((tensor) => tensor.name === name)?.dims.at(-2) ?? null;
  const leadOf = (dims: readonly string[]): string => dims.slice(0, -2).join();
  const queryLead = leadOf(tensors.find((tensor) => tensor.name === parts.query)?.dims ?? []);
  const queryRows = rowsOf(parts.query);
  const keyRows = rowsOf(parts.key);
  return new Map(
    tensors.map(({ name, role, dims }): [string, readonly TensorPart[]] => {
      const own = partNames.filter((part) =>
        namesOf(parts, part).some((known) => known === name || `d${known}` === name || `${known}_next` === name),
      );
      if (own.length > 0) return [name, own];
      if (isPaged(dims)) return [name, ['key']];
      const rows = dims.at(-2);
      if (rows === undefined || queryRows === keyRows) return [name, []];
      if (rows === keyRows) return [name, ['key']];
      // New keys and values have a row for each query too, but the heads of the keys.
      if (rows === queryRows && leadOf(dims) === queryLead) return [name, [role === 'input' ? 'query' : 'output']];
      return [name, []];
    }),
  );
}
