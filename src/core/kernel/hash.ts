/**
 * A 64-bit FNV-1a style hash of a text as 16 hexadecimal digits: two 32-bit lanes with different primes.
 * It tells one version of a source from another; it is no protection against a forged one.
 */
export function hashText(text: string): string {
  let low = 0x811c9dc5;
  let high = 0x9e3779b9;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    low = Math.imul(low ^ unit, 0x01000193);
    high = Math.imul(high ^ unit, 0x85ebca6b);
    high ^= high >>> 13;
  }
  const digits = (word: number): string => (word >>> 0).toString(16).padStart(8, '0');
  return digits(high ^ low) + digits(low);
}
