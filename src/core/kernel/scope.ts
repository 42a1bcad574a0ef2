import type { Mechanism, Options, Shape } from '../attention/mechanism.js';
import type { Span } from '../diagnostic.js';
import { namesIn, parseExpression, type ExpressionError } from './expression.js';
import { suggestName } from './nearest.js';
import type { Report } from './report.js';
import type { YamlScalar } from './yamlTree.js';

/** The names an expression of the front matter may read. */
export interface Scope {
  /** Dimensions and options as numbers, for the file's own shape. */
  readonly scalars: ReadonlyMap<string, number>;
  readonly overrides: ReadonlySet<string>;
  /** Every dimension or option that was read so far. */
  readonly taken: Set<string>;
}

/** Dimensions and options as numbers by name; empty where the mechanism is not known. */
export function scalarsOf(mechanism: Mechanism | null, shape: Shape, options: Options): ReadonlyMap<string, number> {
  return new Map(mechanism ? Object.entries(mechanism.scalars(shape, options)) : []);
}

/** The place in the file of an error in an expression. */
export function expressionSpan(node: YamlScalar, error: ExpressionError): Span {
  const { start, end } = node.rawSpan;
  return { start: Math.min(start + error.span.start, end), end: Math.min(start + error.span.end, end) };
}

/**
 * Checks that an expression parses and that every name in it is known, and notes the names it takes.
 * `what` says where it stands, for the messages.
 */
export function checkExpression(node: YamlScalar, what: string, scope: Scope, report: Report): boolean {
  if (typeof node.value === 'number' || typeof node.value === 'boolean') return true;
  return checkExpressionText(node.raw, (error) => expressionSpan(node, error), what, scope, report);
}

/** As `checkExpression`, for text whose place `place` tells. */
export function checkExpressionText(
  text: string,
  place: (error: ExpressionError) => Span,
  what: string,
  scope: Scope,
  report: Report,
): boolean {
  const parsed = parseExpression(text);
  if (!parsed.ok) {
    report.error('expression-syntax', place(parsed.error), `In ${what}: ${parsed.error.message}`, parsed.error.remedy);
    return false;
  }
  let good = true;
  for (const { name, span } of namesIn(parsed.value)) {
    if (scope.overrides.has(name)) continue;
    if (scope.scalars.has(name)) {
      scope.taken.add(name);
      continue;
    }
    good = false;
    // Without a mechanism no dimension is known, and that has been reported.
    if (scope.scalars.size === 0) continue;
    report.error(
      'unknown-name',
      place({ span, message: '', remedy: null }),
      `In ${what}: "${name}" is no dimension, option or override.`,
      suggestName(name, [...scope.scalars.keys(), ...scope.overrides]),
    );
  }
  return good;
}
