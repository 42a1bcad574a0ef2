import type { RecordPlace } from './emit-context.js';
import type { RecordedValue } from './trace.js';

/** How many of the first values of a name are kept beside the last one. */
const firstSamples = 8;

/** The values that names of the watched invocation had. */
export class ValueBook {
  private readonly entries = new Map<
    number,
    { count: number; first: (readonly number[])[]; last: readonly number[] }
  >();

  constructor(private readonly places: readonly RecordPlace[]) {}

  /** A name was given these scalars. */
  add(place: number, parts: readonly number[]): void {
    const entry = this.entries.get(place) ?? { count: 0, first: [], last: parts };
    this.entries.set(place, entry);
    entry.count++;
    if (entry.first.length < firstSamples) entry.first.push(parts);
    entry.last = parts;
  }

  /** All values in the order of the source. */
  get values(): readonly RecordedValue[] {
    return [...this.entries]
      .map(([place, { count, first, last }]) => {
        const { name, span, booleans } = this.places[place]!;
        const samples = count > first.length ? [...first, last] : first;
        return { name, span, count, samples: samples.map((parts) => shown(parts, booleans)) };
      })
      .toSorted((a, b) => a.span.start - b.span.start);
  }
}

function shown(parts: readonly number[], booleans: boolean): RecordedValue['samples'][number] {
  if (booleans) {
    const flags = parts.map(Boolean);
    return flags.length === 1 ? flags[0]! : flags;
  }
  return parts.length === 1 ? parts[0]! : [...parts];
}
