/** Translations by their English key, as the extension sent them. */
let translations: Readonly<Record<string, string>> = {};

/** Takes the translations of a snapshot. */
export function setStrings(strings: Readonly<Record<string, string>>): void {
  translations = strings;
}

/** The text for an English key in the user's language; `{0}`, `{1}`, … are replaced by the arguments. */
export function t(key: string, ...args: readonly (string | number)[]): string {
  const text = translations[key] ?? key;
  return text.replace(/\{(\d+)\}/g, (whole, digits: string) => {
    const value = args[Number(digits)];
    return value === undefined ? whole : String(value);
  });
}
