/**
 * Where arrow keys lead among so many things in a row, from the one at `active`: the first one where there is none yet, and no
 * further than the ends. Keys that lead nowhere are left to the page, and `active` stays. `sideways` pictures take the arrows
 * left and right, the others all four.
 */
export function walk(
  event: KeyboardEvent,
  active: number | null,
  count: number,
  sideways: 'sideways' | 'any' = 'any',
): number | null {
  const forward = event.key === 'ArrowRight' || (sideways === 'any' && event.key === 'ArrowDown');
  const back = event.key === 'ArrowLeft' || (sideways === 'any' && event.key === 'ArrowUp');
  if (!forward && !back) return active;
  event.preventDefault();
  return active === null ? 0 : Math.min(count - 1, Math.max(0, active + (forward ? 1 : -1)));
}
