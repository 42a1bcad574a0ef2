/** A row of a table as text and numbers; null is an empty cell. */
export type CsvRow = readonly (string | number | null)[];

/** Text of a CSV file (RFC 4180) with a line of column names. */
export function toCsv(header: readonly string[], rows: readonly CsvRow[]): string {
  const field = (value: string | number | null): string => {
    const text = value === null ? '' : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [header, ...rows].map((row) => row.map(field).join(',')).join('\r\n') + '\r\n';
}

const copiedStyles = [
  'fill',
  'fill-opacity',
  'stroke',
  'stroke-width',
  'stroke-opacity',
  'stroke-dasharray',
  'opacity',
  'font-family',
  'font-size',
  'font-weight',
  'text-anchor',
  'dominant-baseline',
];

/**
 * A picture as a file that stands alone: the computed styles of the theme are written into it, the background is
 * filled, and `raster` (a canvas that lies under the drawing, at `x`, `y` in its pixels) is embedded.
 */
export function standaloneSvg(
  picture: SVGSVGElement,
  title: string,
  raster: { readonly canvas: HTMLCanvasElement; readonly x: number; readonly y: number } | null,
): string {
  const clone = picture.cloneNode(true) as SVGSVGElement;
  const originals = [...picture.querySelectorAll('*')];
  [...clone.querySelectorAll('*')].forEach((element, i) => {
    const computed = getComputedStyle(originals[i]!);
    for (const name of copiedStyles) element.setAttribute(name, computed.getPropertyValue(name));
    element.removeAttribute('class');
  });
  const { width, height } = picture.getBoundingClientRect();
  clone.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  clone.setAttribute('width', String(width));
  clone.setAttribute('height', String(height));
  clone.removeAttribute('class');
  if (raster) clone.prepend(embedded(raster));
  const background = element('rect', { width: '100%', height: '100%', fill: pageBackground() });
  const caption = element('title', {});
  caption.textContent = title;
  clone.prepend(caption, background);
  return new XMLSerializer().serializeToString(clone);
}

/** A stand-alone SVG as the base64 text of a PNG, `ratio` pixels to one of the drawing's. */
export async function toPng(svgText: string, ratio = 2): Promise<string> {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svgText)}`;
  await image.decode();
  const canvas = document.createElement('canvas');
  canvas.width = Math.ceil(image.naturalWidth * ratio);
  canvas.height = Math.ceil(image.naturalHeight * ratio);
  const context = canvas.getContext('2d');
  if (!context) throw new Error('This window cannot draw a picture. Save it as SVG instead.');
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL('image/png').replace(/^data:image\/png;base64,/, '');
}

function embedded(raster: { readonly canvas: HTMLCanvasElement; readonly x: number; readonly y: number }): SVGElement {
  const { width, height } = raster.canvas.getBoundingClientRect();
  return element('image', {
    href: raster.canvas.toDataURL('image/png'),
    x: String(raster.x),
    y: String(raster.y),
    width: String(width),
    height: String(height),
  });
}

function element(name: string, attributes: Readonly<Record<string, string>>): SVGElement {
  const made = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

/** The colour behind everything on the page, which a picture in a file is drawn on. */
export function pageBackground(): string {
  const value = getComputedStyle(document.documentElement).getPropertyValue('--vscode-editor-background').trim();
  return value === '' ? '#ffffff' : value;
}
