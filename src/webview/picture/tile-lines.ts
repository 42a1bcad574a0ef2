/** A tile of the kernel that can be drawn over a picture. */
export interface Tile {
  readonly name: string;
  readonly size: number;
}

/** The tiles that cut rows and columns of a picture; null where none fits. */
export interface TileChoice {
  readonly rows: Tile | null;
  readonly columns: Tile | null;
}

/**
 * The tiles to draw first: along the head width those named after it (`TILE_D`, `TILE_V`, …), along the sequence the
 * first of the others. Tiles as large as the axis itself cut nothing.
 */
export function chooseTiles(tiles: readonly Tile[], rows: number, columns: number): TileChoice {
  const isWidth = (tile: Tile): boolean => /(^|_)(D|V|DV|DK|DIM|WIDTH)$/i.test(tile.name);
  return {
    rows: tiles.find((tile) => !isWidth(tile) && tile.size < rows) ?? null,
    columns: tiles.find((tile) => isWidth(tile) && tile.size < columns) ?? null,
  };
}

/**
 * Where the boundaries of tiles of `size` elements fall between `start` and `end` (elements), as shares of that range.
 * Empty where they would stand closer than `minimum` (a share).
 */
export function tileLines(size: number, start: number, end: number, minimum: number): readonly number[] {
  const extent = end - start;
  if (size < 1 || size / extent < minimum) return [];
  const lines: number[] = [];
  for (let edge = Math.floor(start / size + 1) * size; edge < end; edge += size) lines.push((edge - start) / extent);
  return lines;
}
