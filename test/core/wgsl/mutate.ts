/** A generator of whole numbers below a bound; the same seed gives the same numbers (xorshift32). */
export function seededNumbers(seed: number): (bound: number) => number {
  let state = seed >>> 0 || 1;
  return (bound) => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % bound;
  };
}

const insertions = [
  ...Array.from('{}()[]<>;:,.@#"\'\\\0*/=!&|^~%+-_'),
  ...['/*', '*/', '//', '\n', '\r\n', '\u2028', 'é', '\ud800', '->', '>>', '<<=', '++', '1e999', '0x', '1u', '.5f'],
  ...['fn ', 'struct ', 'var<workgroup> ', 'override ', 'const ', 'alias ', 'let ', 'loop ', 'switch ', 'import '],
  ...['array<', 'vec4<f32>', 'ptr<', 'atomic<u32>', '@compute ', '@if(x) ', '@align(3) ', '@binding(1) ', 'a::b '],
  ...['\n#if ', '\n#ifdef X\n', '\n#else\n', '\n#endif\n', '\n#elif 1\n', '\n#define A A B\n', '\n#define B A A\n'],
  ...[
    '\n#define F(x) F(x)x\n',
    '\n#undef TILE\n',
    '\n#include "x"\n',
    '\n#define q F(F(F(k)))\n',
    '\n#if 1/0\n',
    ' F( ',
  ],
];

/** The text after a few random changes: flipped, removed, repeated, truncated and inserted pieces. */
export function mutate(text: string, below: (bound: number) => number): string {
  let out = text;
  for (let changes = 1 + below(4); changes > 0; changes--) {
    const at = below(out.length + 1);
    const length = below(4) === 0 ? below(200) : below(12);
    switch (below(7)) {
      case 0:
        out = out.slice(0, at) + String.fromCharCode((out.charCodeAt(at) || 32) ^ (1 << below(7))) + out.slice(at + 1);
        break;
      case 1:
        out = out.slice(0, at) + out.slice(at + length);
        break;
      case 2:
        out = out.slice(0, at) + out.slice(at, at + length).repeat(1 + below(3)) + out.slice(at);
        break;
      case 3:
        out = below(4) === 0 ? out.slice(0, at) : out;
        break;
      case 4: {
        const from = below(out.length + 1);
        out = out.slice(0, at) + out.slice(from, from + length) + out.slice(at);
        break;
      }
      default:
        out = out.slice(0, at) + insertions[below(insertions.length)]! + out.slice(at);
    }
  }
  return out;
}
