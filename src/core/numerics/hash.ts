/**
 * A hash of a source text, 12 hexadecimal digits: results carry it to tell whether they still belong to the text.
 * Two 32-bit lanes, each mixed as in MurmurHash3 (Austin Appleby, public domain), over the text's UTF-16 units.
 */
export function sourceHash(text: string): string {
  let a = 0x9747b28c;
  let b = 0x1b873593;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    a = Math.imul(rotate(a ^ Math.imul(unit, 0xcc9e2d51), 13), 5) + 0xe6546b64;
    b = Math.imul(rotate(b ^ Math.imul(unit, 0x85ebca77), 17), 9) + 0x38b34ae5;
  }
  a = finish(a ^ text.length);
  b = finish(b ^ text.length ^ a);
  a = finish(a + b);
  return b.toString(16).padStart(8, '0') + (a & 0xffff).toString(16).padStart(4, '0');
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

function finish(word: number): number {
  let h = word | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
