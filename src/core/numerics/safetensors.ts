/** One tensor of a safetensors file. */
export interface StoredTensor {
  readonly dims: readonly number[];
  readonly values: Float32Array | Float64Array | Int32Array;
}

/** The tensors of a safetensors file by name, or what is wrong with it. */
export type SafetensorsResult =
  | { readonly ok: true; readonly tensors: ReadonlyMap<string, StoredTensor> }
  | { readonly ok: false; readonly message: string };

/** Why a file cannot be read, on the way to its result. */
class Unreadable extends Error {}

const littleEndianLength = 8;

/**
 * Reads a safetensors file: eight bytes with the length of a JSON header, the header, and the tensors' little-endian
 * bytes. F32, F64 and I32 are known (huggingface/safetensors, format section).
 */
export function readSafetensors(file: ArrayBuffer): SafetensorsResult {
  try {
    const { header, dataStart } = readHeader(file);
    const tensors = new Map<string, StoredTensor>();
    for (const [name, entry] of Object.entries(header)) {
      if (name !== '__metadata__') tensors.set(name, readTensor(file, dataStart, name, entry));
    }
    return { ok: true, tensors };
  } catch (error) {
    if (error instanceof Unreadable) return { ok: false, message: error.message };
    throw error;
  }
}

function readHeader(file: ArrayBuffer): { header: Readonly<Record<string, unknown>>; dataStart: number } {
  if (file.byteLength < littleEndianLength) {
    throw new Unreadable(`The file has ${file.byteLength} bytes, too few for a safetensors header. Copy it again.`);
  }
  const length = new DataView(file).getBigUint64(0, true);
  if (length > BigInt(file.byteLength - littleEndianLength)) {
    throw new Unreadable(
      `The header should have ${length.toString()} bytes, but the file only ${file.byteLength}: it is cut short or no safetensors file.`,
    );
  }
  const bytes = new Uint8Array(file, littleEndianLength, Number(length));
  let header: unknown;
  try {
    header = JSON.parse(asciiText(bytes));
  } catch {
    throw new Unreadable('The header is no JSON: the file is damaged or no safetensors file.');
  }
  if (!isRecord(header)) throw new Unreadable('The header is no JSON object: the file is no safetensors file.');
  return { header, dataStart: littleEndianLength + Number(length) };
}

function asciiText(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isSizes(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

const formats = {
  F32: { bytes: 4, make: (buffer: ArrayBuffer) => new Float32Array(buffer) },
  F64: { bytes: 8, make: (buffer: ArrayBuffer) => new Float64Array(buffer) },
  I32: { bytes: 4, make: (buffer: ArrayBuffer) => new Int32Array(buffer) },
} as const;

function isFormat(value: unknown): value is keyof typeof formats {
  return typeof value === 'string' && Object.hasOwn(formats, value);
}

function readTensor(file: ArrayBuffer, dataStart: number, name: string, entry: unknown): StoredTensor {
  if (!isRecord(entry)) throw new Unreadable(`The header says nothing readable about tensor ${name}.`);
  const { dtype, shape, data_offsets: offsets } = entry;
  if (!isFormat(dtype)) {
    throw new Unreadable(
      `Tensor ${name} has the format ${typeof dtype === 'string' ? dtype : 'of no name'}; Tilescope reads ${Object.keys(formats).join(', ')}.`,
    );
  }
  if (!isSizes(shape) || !isSizes(offsets) || offsets.length !== 2) {
    throw new Unreadable(`Tensor ${name} has no readable shape and data_offsets.`);
  }
  const format = formats[dtype];
  const bytes = shape.reduce((product, size) => product * size, 1) * format.bytes;
  const [from, to] = [dataStart + offsets[0]!, dataStart + offsets[1]!];
  if (to - from !== bytes || to > file.byteLength) {
    throw new Unreadable(
      `Tensor ${name} of ${dtype} [${shape.join(', ')}] needs ${bytes} bytes, but has bytes ${from} to ${to} of a file of ${file.byteLength}: the file is damaged.`,
    );
  }
  // A copy, because a typed array must start at a multiple of its element size.
  return { dims: shape, values: format.make(file.slice(from, to)) };
}
