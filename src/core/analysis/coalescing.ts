import { lineBytes, sectorBytes } from './ledger.js';

/** What the accesses of one instruction of a subgroup touch. */
export interface Footprint {
  /** Distinct sectors of `sectorBytes` and distinct lines of `lineBytes`. */
  sectors: number;
  lines: number;
  /** Bytes that at least one lane asks for; those that several ask for count once. */
  bytes: number;
}

/** A footprint to hand to `measureFootprint`. */
export const emptyFootprint = (): Footprint => ({ sectors: 0, lines: 0, bytes: 0 });

/** Sorts `values` from `from` up to `to` in place. Lanes mostly stand in ascending order already, which costs nothing. */
function sortAscending(values: Uint32Array, from: number, to: number): void {
  for (let index = from + 1; index < to; index++) {
    const value = values[index]!;
    let at = index;
    while (at > from && values[at - 1]! > value) {
      values[at] = values[at - 1]!;
      at--;
    }
    values[at] = value;
  }
}

/**
 * The distinct sectors, lines and bytes that accesses of `accessBytes` at `addresses` [from, to) touch together.
 * Addresses count bytes from a multiple of `lineBytes` (buffers begin at one). Sorts the addresses; writes to `into`.
 */
export function measureFootprint(
  addresses: Uint32Array,
  from: number,
  to: number,
  accessBytes: number,
  into: Footprint,
): void {
  sortAscending(addresses, from, to);
  let sectors = 0;
  let lines = 0;
  let bytes = 0;
  let sectorEnd = 0;
  let lineEnd = 0;
  let byteEnd = 0;
  for (let index = from; index < to; index++) {
    const address = addresses[index]!;
    const end = address + accessBytes;
    const sector = Math.max(Math.floor(address / sectorBytes), sectorEnd);
    const line = Math.max(Math.floor(address / lineBytes), lineEnd);
    const byte = Math.max(address, byteEnd);
    if (end <= byte) continue;
    byteEnd = end;
    sectorEnd = Math.ceil(end / sectorBytes);
    lineEnd = Math.ceil(end / lineBytes);
    bytes += end - byte;
    sectors += sectorEnd - sector;
    lines += lineEnd - line;
  }
  into.sectors = sectors;
  into.lines = lines;
  into.bytes = bytes;
}
