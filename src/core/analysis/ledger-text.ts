/** A number for a sentence: two significant digits below 100, whole numbers from there on. */
export function numberText(value: number): string {
  if (value >= 100) return String(Math.round(value));
  return String(Number(value.toPrecision(2)));
}

/** A size for a sentence, with a binary prefix. */
export function bytesText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let scaled = bytes;
  let unit = 0;
  while (scaled >= 1024 && unit < units.length - 1) {
    scaled /= 1024;
    unit++;
  }
  return `${numberText(scaled)} ${units[unit]!}`;
}

/** A part of a whole, 0 to 1, in per cent. */
export function percentText(part: number): string {
  return `${numberText(100 * part)} %`;
}
