/** Message and remedy for a syntax error: the parser's own words put for people. `found` is the text it stands at. */
export function syntaxRemedy(parserMessage: string, found: string): [message: string, remedy: string | null] {
  const here = found === '' ? '' : `, found "${found.length > 24 ? `${found.slice(0, 24)}…` : found}"`;
  const expected = /^Expected '(.+?)'(?: after (.+))?$/.exec(parserMessage);
  if (expected !== null) {
    const [, token = '', place] = expected;
    return [`${parserMessage}${here}.`, `Add ${token}${place === undefined ? '' : ` after the ${place}`}.`];
  }
  const invalid = /^Invalid token/.exec(parserMessage);
  if (invalid !== null) {
    const remedy =
      found === '#'
        ? 'A preprocessor directive must come first on its line.'
        : 'Remove it: WGSL has no such character.';
    return [`"${found}" is no character of WGSL.`, remedy];
  }
  if (parserMessage.includes('requires parentheses') || parserMessage.includes('cannot be chained')) {
    return [`${parserMessage}${here}.`, 'Put parentheses around one of the two operations: WGSL gives them no order.'];
  }
  if (parserMessage === 'Expected a declaration or directive') {
    const directive = ['enable', 'requires', 'diagnostic', 'import'].includes(found);
    const remedy = directive
      ? `Move ${found} to the top of the file, before the first declaration.`
      : 'At this level stand fn, var, const, override, struct, alias and const_assert.';
    return [`${parserMessage}${here}.`, remedy];
  }
  return [`${parserMessage}${here}.`, null];
}
