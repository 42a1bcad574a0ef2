/** A half-open range of UTF-16 offsets in the text of a kernel file as the user sees it. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** `error` stops a run, `warning` does not, `info` is only shown. */
export type Severity = 'error' | 'warning' | 'info';

/**
 * One finding about a kernel file, placed exactly and written for the person who has to act on it.
 *
 * `message` says what is wrong and with which value; `remedy` says what to do about it (null where the message
 * already does). `code` is a stable kebab-case id, unique per kind of finding.
 */
export interface Diagnostic {
  readonly code: string;
  readonly severity: Severity;
  readonly span: Span;
  readonly message: string;
  readonly remedy: string | null;
}
