const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** Bytes as base64 with padding (RFC 4648), without the help of a browser or Node. */
export function toBase64(bytes: Uint8Array): string {
  const parts: string[] = [];
  let part = '';
  for (let i = 0; i < bytes.length; i += 3) {
    const word = (bytes[i]! << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    part += alphabet.charAt(word >>> 18) + alphabet.charAt((word >>> 12) & 63);
    part += i + 1 < bytes.length ? alphabet.charAt((word >>> 6) & 63) : '=';
    part += i + 2 < bytes.length ? alphabet.charAt(word & 63) : '=';
    if (part.length >= 8192) {
      parts.push(part);
      part = '';
    }
  }
  parts.push(part);
  return parts.join('');
}

/** The bytes of a base64 text, or null where it is none. */
export function fromBase64(text: string): Uint8Array | null {
  if (text.length % 4 !== 0) return null;
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const bytes = new Uint8Array((text.length / 4) * 3 - padding);
  for (let i = 0, at = 0; i < text.length; i += 4) {
    let word = 0;
    for (let j = i; j < i + 4; j++) {
      const digit = alphabet.indexOf(text.charAt(j));
      if (digit < 0 && j < text.length - padding) return null;
      word = (word << 6) | Math.max(digit, 0);
    }
    for (let shift = 16; shift >= 0 && at < bytes.length; shift -= 8) bytes[at++] = (word >>> shift) & 255;
  }
  return bytes;
}
