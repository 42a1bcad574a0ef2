import type { FaultPlace } from './emit-context.js';
import type { Fault } from './trace.js';

/** Where a simulation stands when something happens. */
export interface Position {
  workgroup: readonly [number, number, number];
  linear: number;
  invocation: number;
  epoch: number;
  phase: number;
}

/** The faults of one pass: alike ones (same place and, for barriers, same other place) are one, counted. */
export class FaultBook {
  private readonly found = new Map<string, { -readonly [K in keyof Fault]: Fault[K] }>();

  constructor(
    private readonly places: readonly FaultPlace[],
    private readonly position: Position,
  ) {}

  /** Notes what happened at a place of the generated code. */
  note(place: number, index: number | null, otherSpan: Fault['otherSpan'] = null): void {
    const { kind, span, variable, limit } = this.places[place]!;
    this.add({ kind, span, variable, limit, index, otherSpan });
  }

  /** Notes a fault, or counts it where it is known. */
  add(fault: Pick<Fault, 'kind' | 'span' | 'variable' | 'limit' | 'index' | 'otherSpan'>): void {
    const { kind, span, otherSpan, variable } = fault;
    const key = `${kind} ${span.start} ${span.end} ${otherSpan?.start ?? -1} ${variable ?? ''}`;
    const known = this.found.get(key);
    if (known) {
      known.count++;
      return;
    }
    const { workgroup, invocation, epoch } = this.position;
    this.found.set(key, { ...fault, count: 1, workgroup, invocation, epoch });
  }

  get faults(): readonly Fault[] {
    return [...this.found.values()];
  }
}
