import type { Diagnostic } from '../core/diagnostic.js';

/**
 * The parser's findings and then those of the driver that tell something new. The driver's words on a place the parser
 * already complains about are left out: they name the same mistake, often less clearly and in the generated text.
 */
export function mergeDiagnostics(own: readonly Diagnostic[], driver: readonly Diagnostic[]): readonly Diagnostic[] {
  const fresh = driver.filter((finding) => !own.some((known) => sameFinding(known, finding)));
  return [...own, ...fresh];
}

function sameFinding(known: Diagnostic, finding: Diagnostic): boolean {
  const touches = known.span.start <= finding.span.end && finding.span.start <= known.span.end;
  return touches && (known.severity === finding.severity || known.message === finding.message);
}

/**
 * The plain replacement a finding suggests (`Did you mean "seqlen"?`), or null where its remedy is not of that kind.
 */
export function suggestedReplacement(message: string): string | null {
  return /did you mean ["'`“‘]([^"'`”’\n]+)["'`”’]\s*\?/i.exec(message)?.[1] ?? null;
}
