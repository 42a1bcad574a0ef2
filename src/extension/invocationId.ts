/** Id of a workgroup in its dispatch, or the size of a dispatch. */
export type WorkgroupId = readonly [number, number, number];

/** A workgroup id from `x, y, z` (commas or spaces; missing parts are 0), or null where there is no such workgroup. */
export function parseWorkgroup(text: string, [x, y, z]: WorkgroupId): WorkgroupId | null {
  const parts = text.split(/[\s,]+/).filter((part) => part !== '');
  if (parts.length < 1 || parts.length > 3) return null;
  const i = parseIndex(parts[0] ?? '0', x);
  const j = parseIndex(parts[1] ?? '0', y);
  const k = parseIndex(parts[2] ?? '0', z);
  return i === null || j === null || k === null ? null : [i, j, k];
}

/** A whole number from 0 up to `count` - 1, or null. */
export function parseIndex(text: string, count: number): number | null {
  const value = /^\d+$/.test(text.trim()) ? Number(text) : NaN;
  return value < count ? value : null;
}
