import type { Computation, Mechanism } from '../attention/mechanism.js';
import type { Plan } from '../kernel/model.js';
import type { Simulation } from '../simulator/trace.js';
import type { ProvenanceRecorder } from './provenance.js';

/** The lines of a kernel file, counted from 1. */
export interface SourceLines {
  readonly count: number;
  /** The line that holds a UTF-16 offset; offsets past the end belong to the last line. */
  readonly lineAt: (offset: number) => number;
  /** A line without its line break and without white space at its ends; empty where there is no such line. */
  readonly textOf: (line: number) => string;
}

/** What every analysis starts from: one kernel file, its plan at one shape, and what a simulation of the plan found. */
export interface AnalysisContext {
  /** The kernel file as the user wrote it; spans of the simulation point into it. */
  readonly source: string;
  readonly lines: SourceLines;
  readonly plan: Plan;
  readonly mechanism: Mechanism;
  readonly computation: Computation;
  readonly simulation: Simulation;
  /** Null where the simulation did not follow values, or the mechanism has no queries, keys and values. */
  readonly provenance: ProvenanceRecorder | null;
}

/** Divides a text into lines, at the line breaks VS Code divides it at. */
export function sourceLines(source: string): SourceLines {
  const starts = [0];
  for (const match of source.matchAll(/\r\n|\r|\n/g)) starts.push(match.index + match[0].length);
  return {
    count: starts.length,
    lineAt: (offset) => {
      let low = 0;
      let high = starts.length;
      while (high - low > 1) {
        const middle = (low + high) >>> 1;
        if (starts[middle]! <= offset) low = middle;
        else high = middle;
      }
      return low + 1;
    },
    textOf: (line) => {
      const start = starts[line - 1];
      return start === undefined ? '' : source.slice(start, starts[line]).trim();
    },
  };
}

/** A context from its parts; the lines are looked up in `source`. */
export function analysisContext(parts: Omit<AnalysisContext, 'lines'>): AnalysisContext {
  return { ...parts, lines: sourceLines(parts.source) };
}
