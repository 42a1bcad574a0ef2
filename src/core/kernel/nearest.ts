/** Optimal string alignment distance between two words (a swap of neighbours is one edit); more than `limit` is not told apart. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  const rows = [Array.from({ length: b.length + 1 }, (_, index) => index)];
  for (let i = 1; i <= a.length; i++) {
    const above = rows[i - 1]!;
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = above[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swap = swapped ? rows[i - 2]![j - 2]! + 1 : limit + 1;
      row.push(Math.min(change, swap, above[j]! + 1, row[j - 1]! + 1));
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}

const plain = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, '');

/** The candidate a misspelt name most likely means, or null: case, separators and a few wrong letters are forgiven. */
export function nearestName(name: string, candidates: Iterable<string>): string | null {
  const word = plain(name.slice(0, 64));
  const limit = Math.max(1, Math.floor(word.length / 3));
  let best: string | null = null;
  let bestDistance = limit + 1;
  for (const candidate of candidates) {
    const other = plain(candidate);
    const begins = word.length >= 3 && other.startsWith(word);
    const distance = begins ? Math.min(1, editDistance(word, other, limit)) : editDistance(word, other, limit);
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** A remedy for an unknown name: the one probably meant, else all there are. */
export function suggestName(name: string, candidates: Iterable<string>): string {
  const all = [...candidates];
  const nearest = nearestName(name, all);
  if (nearest !== null) return `Did you mean "${nearest}"?`;
  return all.length === 0 ? 'There are none to choose from.' : `Choose from: ${all.slice(0, 24).join(', ')}.`;
}
