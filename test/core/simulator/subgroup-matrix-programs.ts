import { f16bits, halfTable } from '../../../src/core/simulator/numerics.js';

type MatrixScalar = 'f32' | 'f16' | 'i32' | 'u32' | 'i8' | 'u8';

/** Sizes and scalars that a device's matrix units take: left M × K, right K × N, result M × N. */
export interface MatrixConfig {
  readonly scalar: MatrixScalar;
  readonly result: MatrixScalar;
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

/** A module with two buffers, `inputs` and `results`, and what it leaves in the results. */
export interface MatrixProgram {
  readonly name: string;
  readonly code: string;
  /** Invocations of its one workgroup. */
  readonly invocations: number;
  /** Words of the buffers before it runs. */
  readonly inputs: Int32Array<ArrayBuffer>;
  readonly results: Int32Array<ArrayBuffer>;
  /** Elements of the results after it; every sum in it is exact, in whatever order. */
  readonly expected: readonly number[];
}

type Spelling = 'newer' | 'older';
type Matrix = readonly (readonly number[])[];

const shaderScalar = (scalar: MatrixScalar): string => (scalar === 'i8' ? 'i32' : scalar === 'u8' ? 'u32' : scalar);
const bytesOf = (scalar: MatrixScalar): number => (scalar === 'f16' ? 2 : scalar.endsWith('8') ? 1 : 4);
/** Bytes of an element of the arrays that hold a matrix's elements. */
const arrayBytes = (scalar: MatrixScalar): number => (scalar === 'f16' ? 2 : 4);

/** Numbers as the words of a buffer. */
function wordsOf(scalar: MatrixScalar, values: readonly number[]): Int32Array<ArrayBuffer> {
  const bytes = new DataView(new ArrayBuffer(Math.ceil((values.length * bytesOf(scalar)) / 4) * 4));
  for (const [index, value] of values.entries()) {
    if (scalar === 'f32') bytes.setFloat32(4 * index, value, true);
    else if (scalar === 'f16') bytes.setUint16(2 * index, f16bits(value), true);
    else if (bytesOf(scalar) === 1) bytes.setInt8(index, value);
    else bytes.setInt32(4 * index, value, true);
  }
  return new Int32Array(bytes.buffer);
}

/** The numbers in the words of a buffer. */
export function numbersOf(scalar: MatrixScalar, words: Int32Array): readonly number[] {
  const { buffer } = words.slice();
  if (scalar === 'f32') return [...new Float32Array(buffer)];
  if (scalar === 'f16') return Array.from(new Uint16Array(buffer), (bits) => halfTable[bits]!);
  if (scalar === 'i32') return [...new Int32Array(buffer)];
  if (scalar === 'u32') return [...new Uint32Array(buffer)];
  return scalar === 'i8' ? [...new Int8Array(buffer)] : [...new Uint8Array(buffer)];
}

/** A number that f16 holds and whose products with its like add up exactly in f16 too. */
function element(scalar: MatrixScalar, index: number): number {
  const whole = ((index * 7 + 3) % 9) - 4;
  if (scalar.startsWith('f')) return whole / 2;
  return scalar.startsWith('u') ? whole + 4 : whole;
}

const matrixOf = (rows: number, columns: number, at: (row: number, column: number) => number): Matrix =>
  Array.from({ length: rows }, (_, row) => Array.from({ length: columns }, (_unused, column) => at(row, column)));

const multiplied = (a: Matrix, b: Matrix): Matrix =>
  matrixOf(a.length, b[0]!.length, (row, column) => a[row]!.reduce((sum, x, k) => sum + x * b[k]![column]!, 0));

const added = (a: Matrix, b: Matrix): Matrix =>
  matrixOf(a.length, a[0]!.length, (row, column) => a[row]![column]! + b[row]![column]!);

/** Where a matrix lies in a buffer of scalars. */
interface Place {
  readonly offset: number;
  readonly stride: number;
  readonly columnMajor: boolean;
}

const indexIn = ({ offset, stride, columnMajor }: Place, row: number, column: number): number =>
  offset + (columnMajor ? column * stride + row : row * stride + column);

const matrixAt = (values: readonly number[], place: Place, rows: number, columns: number): Matrix =>
  matrixOf(rows, columns, (row, column) => values[indexIn(place, row, column)]!);

function put(values: readonly number[], place: Place, matrix: Matrix): number[] {
  const changed = [...values];
  for (const [row, line] of matrix.entries()) {
    for (const [column, value] of line.entries()) changed[indexIn(place, row, column)] = value;
  }
  return changed;
}

/** Writes the programs for one configuration in one spelling. */
class Programs {
  readonly all: MatrixProgram[] = [];
  private readonly inputs: readonly number[];
  private readonly results: readonly number[];

  constructor(
    private readonly config: MatrixConfig,
    private readonly spelling: Spelling,
    readonly subgroupSize: number,
  ) {
    this.inputs = Array.from({ length: 4096 }, (_, index) => element(config.scalar, index));
    this.results = Array.from({ length: 4096 }, (_, index) => element(config.result, index + 5));
  }

  private get types(): string {
    const { scalar, result, M, N, K } = this.config;
    return [
      `alias Left = subgroup_matrix_left<${scalar}, ${K}, ${M}>;`,
      `alias Right = subgroup_matrix_right<${scalar}, ${N}, ${K}>;`,
      `alias Result = subgroup_matrix_result<${result}, ${N}, ${M}>;`,
    ].join('\n');
  }

  /** Offset and stride in what the spelling counts: elements of the array (of `width` bytes), or of the matrix. */
  private units(scalar: MatrixScalar, place: Place, width: number): readonly [number, number] {
    const factor = this.spelling === 'newer' ? bytesOf(scalar) / width : 1;
    return [place.offset * factor, place.stride * factor];
  }

  load(type: 'Left' | 'Right' | 'Result', array: string, place: Place, width?: number): string {
    const scalar = type === 'Result' ? this.config.result : this.config.scalar;
    const [offset, stride] = this.units(scalar, place, width ?? arrayBytes(scalar));
    return this.spelling === 'newer'
      ? `subgroupMatrixLoad<${type}, ${place.columnMajor ? 'col' : 'row'}_major>(&${array}, ${offset}, ${stride})`
      : `subgroupMatrixLoad<${type}>(&${array}, ${offset}, ${place.columnMajor}, ${stride})`;
  }

  store(array: string, place: Place, value: string): string {
    const scalar = this.config.result;
    const [offset, stride] = this.units(scalar, place, arrayBytes(scalar));
    return this.spelling === 'newer'
      ? `subgroupMatrixStore<${place.columnMajor ? 'col' : 'row'}_major>(&${array}, ${offset}, ${value}, ${stride});`
      : `subgroupMatrixStore(&${array}, ${offset}, ${value}, ${place.columnMajor}, ${stride});`;
  }

  add(
    name: string,
    body: string,
    expected: readonly number[],
    more: { readonly element?: string; readonly declarations?: string; readonly subgroups?: number } = {},
  ): void {
    const { scalar, result, M, N, K } = this.config;
    const invocations = this.subgroupSize * (more.subgroups ?? 1);
    const halves = scalar === 'f16' || result === 'f16' ? 'enable f16;\n' : '';
    const code = `${halves}enable subgroups;
enable chromium_experimental_subgroup_matrix;
@group(0) @binding(0) var<storage, read> inputs: array<${more.element ?? shaderScalar(scalar)}>;
@group(0) @binding(1) var<storage, read_write> results: array<${shaderScalar(result)}>;
${this.types}
${more.declarations ?? ''}
@compute @workgroup_size(${invocations})
fn main(@builtin(local_invocation_index) index: u32, @builtin(subgroup_id) subgroup: u32) {
  ${body}
}`;
    this.all.push({
      name: `${name} (${scalar} to ${result}, ${M}×${N}×${K}, ${this.spelling})`,
      code,
      invocations,
      inputs: wordsOf(scalar, this.inputs),
      results: wordsOf(result, this.results),
      expected,
    });
  }

  /** The matrices that the places in the inputs and results hold before the program runs. */
  left(place: Place): Matrix {
    return matrixAt(this.inputs, place, this.config.M, this.config.K);
  }
  right(place: Place): Matrix {
    return matrixAt(this.inputs, place, this.config.K, this.config.N);
  }
  sum(place: Place): Matrix {
    return matrixAt(this.results, place, this.config.M, this.config.N);
  }
  /** The results with a matrix stored in them. */
  with(place: Place, matrix: Matrix, values = this.results): readonly number[] {
    return put(values, place, matrix);
  }
}

const rows = (offset: number, stride: number): Place => ({ offset, stride, columnMajor: false });
const columns = (offset: number, stride: number): Place => ({ offset, stride, columnMajor: true });

function basics(programs: Programs): void {
  const [a, b, c] = [rows(32, 48), rows(1024, 64), rows(64, 48)];
  programs.add(
    'a product of rows',
    programs.store(
      'results',
      c,
      `subgroupMatrixMultiply<RESULT>(${programs.load('Left', 'inputs', a)}, ${programs.load('Right', 'inputs', b)})`,
    ),
    programs.with(c, multiplied(programs.left(a), programs.right(b))),
  );
  const [ta, tb, tc] = [columns(64, 48), columns(1024, 64), columns(128, 32)];
  programs.add(
    'a product of columns',
    `let a = ${programs.load('Left', 'inputs', ta)};
  let b = ${programs.load('Right', 'inputs', tb)};
  ${programs.store('results', tc, 'subgroupMatrixMultiply<RESULT>(a, b)')}`,
    programs.with(tc, multiplied(programs.left(ta), programs.right(tb))),
  );
  programs.add(
    'a sum of products on what is there',
    `var sum = ${programs.load('Result', 'results', c)};
  for (var step = 0u; step < 3u; step++) {
    sum = subgroupMatrixMultiplyAccumulate(${programs.load('Left', 'inputs', a)}, ${programs.load('Right', 'inputs', tb)}, sum);
  }
  ${programs.store('results', c, 'sum')}`,
    programs.with(
      c,
      [1, 2, 3].reduce((sum) => added(sum, multiplied(programs.left(a), programs.right(tb))), programs.sum(c)),
    ),
  );
}

function values(programs: Programs, { scalar, M, N, K }: MatrixConfig): void {
  const [a, b, c, d] = [rows(0, 32), rows(1024, 32), rows(0, 32), rows(2048, 32)];
  const product = multiplied(programs.left(a), programs.right(b));
  programs.add(
    'an array of sums, a struct, a pointer and a function',
    `var sums: array<Result, 3>;
  for (var i = 0u; i < 3u; i++) { grow(&sums[i], i); }
  var pair = Pair(sums[2], array<Result, 2>());
  pair.others[1] = pair.first;
  let kept = pair.others;
  pair.others[1] = Result();
  let both = subgroupMatrixMultiplyAccumulate(${programs.load('Left', 'inputs', a)}, ${programs.load('Right', 'inputs', b)}, kept[1]);
  ${programs.store('results', c, 'both')}
  ${programs.store('results', d, 'pair.others[1]')}`,
    programs.with(
      d,
      matrixOf(M, N, () => 0),
      programs.with(c, added(added(product, product), added(product, product))),
    ),
    {
      declarations: `struct Pair { first: Result, others: array<Result, 2> }
fn product(left: Left, right: Right) -> Result { return subgroupMatrixMultiply<RESULT>(left, right); }
fn grow(sum: ptr<function, Result>, times: u32) {
  *sum = product(${programs.load('Left', 'inputs', a)}, ${programs.load('Right', 'inputs', b)});
  for (var i = 0u; i < times; i++) {
    *sum = subgroupMatrixMultiplyAccumulate(${programs.load('Left', 'inputs', a)}, ${programs.load('Right', 'inputs', b)}, *sum);
  }
}`,
    },
  );
  const two = `${shaderScalar(scalar)}(2)`;
  const scaled = matrixOf(M, K, (row, column) => (programs.left(a)[row]![column]! + 2 - 1) * 2);
  const twos = matrixOf(K, N, () => 2);
  programs.add(
    'scalars and filled matrices',
    `let more = subgroupMatrixScalarAdd(${programs.load('Left', 'inputs', a)}, ${two});
  let scaled = subgroupMatrixScalarMultiply(subgroupMatrixScalarSubtract(more, 1), ${two});
  ${programs.store('results', c, `subgroupMatrixMultiply<RESULT>(scaled, Right(2))`)}`,
    programs.with(c, multiplied(scaled, twos)),
  );
}

function memories(programs: Programs, { scalar, result, M, N }: MatrixConfig): void {
  const [a, b, c] = [rows(0, 32), columns(0, 32), rows(0, 32)];
  const words = (bytesOf(scalar) * 1024) / arrayBytes(scalar);
  programs.add(
    'tiles in workgroup memory, one for each subgroup',
    `for (var i = index; i < ${words}u; i += ${2 * programs.subgroupSize}u) { tile[i] = inputs[i]; }
  workgroupBarrier();
  var sum = Result();
  sum = subgroupMatrixMultiplyAccumulate(${programs.load('Left', 'tile', a)}, ${programs.load('Right', 'tile', b)}, sum);
  ${programs.store('sums[subgroup % 2u]', c, 'sum')}
  workgroupBarrier();
  if (index < ${M}u) {
    for (var column = 0u; column < ${N}u; column++) {
      results[index * 32u + column] = sums[0][index * 32u + column] + sums[1][index * 32u + column];
    }
  }`,
    programs.with(
      c,
      added(multiplied(programs.left(a), programs.right(b)), multiplied(programs.left(a), programs.right(b))),
    ),
    {
      subgroups: 2,
      declarations: `var<workgroup> tile: array<${shaderScalar(scalar)}, ${words}>;
var<workgroup> sums: array<array<${shaderScalar(result)}, 1024>, 2>;`,
    },
  );
}

/** What only the newer spelling can: arrays of vectors, and of words that hold smaller elements. */
function reinterpreted(programs: Programs, { scalar }: MatrixConfig): void {
  const [a, b, c] = [rows(64, 64), columns(2048, 64), rows(0, 32)];
  const expected = programs.with(c, multiplied(programs.left(a), programs.right(b)));
  const vector = bytesOf(scalar) === 1 ? 'vec4<u32>' : `vec4<${shaderScalar(scalar)}>`;
  const width = scalar === 'f16' ? 8 : 16;
  const body = (bytes: number): string =>
    programs.store(
      'results',
      c,
      `subgroupMatrixMultiply<RESULT>(${programs.load('Left', 'inputs', a, bytes)}, ${programs.load('Right', 'inputs', b, bytes)})`,
    );
  programs.add('an array of vectors', body(width), expected, { element: vector });
  programs.add('an array of words', body(4), expected, { element: 'u32' });
}

/** The programs for one configuration of matrix units, for subgroups of one size. */
export function subgroupMatrixPrograms(config: MatrixConfig, subgroupSize: number): readonly MatrixProgram[] {
  return (['newer', 'older'] as const).flatMap((spelling) => {
    const programs = new Programs(config, spelling, subgroupSize);
    basics(programs);
    values(programs, config);
    if (bytesOf(config.result) !== 1) memories(programs, config);
    if (spelling === 'newer') reinterpreted(programs, config);
    return programs.all.map((program) => ({ ...program, code: program.code.replaceAll('RESULT', config.result) }));
  });
}
