/** The fields of a state that a page saved, by their names; none where it is no object (an older version's, or never saved). */
export function savedFields(saved: unknown): ReadonlyMap<string, unknown> {
  return new Map(typeof saved === 'object' && saved !== null ? Object.entries(saved) : []);
}
