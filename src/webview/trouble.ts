import { html, nothing, type TemplateResult } from 'lit';
import { codicon } from './toolkit.js';

/** A failure of a request to the host in its own words. */
export function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** A request to the host that failed, at the top of a page; nothing for null. */
export function troubleNote(trouble: string | null): TemplateResult | typeof nothing {
  if (trouble === null) return nothing;
  return html`<div class="notes">
    <section class="note note-error" role="alert">
      ${codicon('error')}
      <div class="note-body"><p>${trouble}</p></div>
    </section>
  </div>`;
}
