import type { Diagnostic, Severity, Span } from '../diagnostic.js';

/** Collects the findings of one reading of a kernel file, in the order they were made. */
export class Report {
  private readonly found: Diagnostic[] = [];

  /** Everything found so far. */
  get diagnostics(): readonly Diagnostic[] {
    return this.found;
  }

  /** Whether an error was found inside a part of the file. */
  hasErrorWithin({ start, end }: Span): boolean {
    return this.found.some(({ severity, span }) => severity === 'error' && span.start >= start && span.end <= end);
  }

  /** Adds a finding that stops a run. */
  error(code: string, span: Span, message: string, remedy: string | null): void {
    this.add('error', code, span, message, remedy);
  }

  /** Adds a finding that does not stop a run. */
  warning(code: string, span: Span, message: string, remedy: string | null): void {
    this.add('warning', code, span, message, remedy);
  }

  /** Adds a finding that is only shown. */
  info(code: string, span: Span, message: string, remedy: string | null): void {
    this.add('info', code, span, message, remedy);
  }

  private add(severity: Severity, code: string, span: Span, message: string, remedy: string | null): void {
    this.found.push({ code, severity, span, message, remedy });
  }
}
