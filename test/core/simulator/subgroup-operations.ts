/** Invocations of a workgroup that tries subgroup operations. */
export const invocations = 128;

/** A module whose invocations store an expression over `lane` (subgroup_invocation_id), `size` and index `at`. */
export function subgroupModule(expression: string, before = ''): string {
  return `enable subgroups;
@group(0) @binding(0) var<storage, read_write> results: array<u32>;
@compute @workgroup_size(${invocations})
fn main(@builtin(local_invocation_index) at: u32, @builtin(subgroup_invocation_id) lane: u32,
  @builtin(subgroup_size) size: u32) {
  ${before}
  results[at] = u32(${expression});
}`;
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

const list: readonly (readonly [string, (at: number, members: readonly number[]) => number])[] = [
  ['size', (_, members) => members.length],
  ['lane', (at, [first]) => at - first!],
  ['subgroupAdd(at)', (_, members) => sum(members)],
  ['subgroupInclusiveAdd(at)', (at, members) => sum(members.filter((other) => other <= at))],
  ['subgroupExclusiveAdd(at)', (at, members) => sum(members.filter((other) => other < at))],
  ['subgroupMul(select(1u, 2u, lane < 3u))', () => 8],
  ['subgroupExclusiveMul(select(1u, 2u, lane < 3u))', (at, [first]) => 2 ** Math.min(3, at - first!)],
  ['subgroupMax(at ^ 5u)', (_, members) => Math.max(...members.map((other) => other ^ 5))],
  ['subgroupMin(at ^ 5u)', (_, members) => Math.min(...members.map((other) => other ^ 5))],
  ['subgroupMax(at - 3u)', (at, [first, ...rest]) => (first! < 3 ? 0xffffffff : rest.at(-1)! - 3) + 0 * at],
  ['subgroupAnd(at | 8u)', (_, members) => members.reduce((all, other) => all & (other | 8), -1) >>> 0],
  ['subgroupOr(at)', (_, members) => members.reduce((all, other) => all | other, 0)],
  ['subgroupXor(at)', (_, members) => members.reduce((all, other) => all ^ other, 0)],
  ['subgroupAdd(f32(at) * 0.5) * 2.0', (_, members) => sum(members)],
  ['subgroupBroadcast(at, 2u)', (_, [, , third]) => third!],
  ['subgroupBroadcastFirst(at * 3u)', (_, [first]) => first! * 3],
  ['subgroupShuffle(at, size - 1u - lane)', (at, members) => members.at(-1)! - (at - members[0]!)],
  ['subgroupShuffleXor(at, 1u)', (at) => at ^ 1],
  ['select(subgroupShuffleUp(at, 1u), 77u, lane == 0u)', (at, [first]) => (at === first ? 77 : at - 1)],
  [
    'select(subgroupShuffleDown(at, 2u), 77u, lane + 2u >= size)',
    (at, members) => (at + 2 > members.at(-1)! ? 77 : at + 2),
  ],
  ['subgroupAll(at < 1000u)', () => 1],
  ['subgroupAll(lane != 1u)', () => 0],
  ['subgroupAny(lane == 2u)', () => 1],
  ['subgroupElect()', (at, [first]) => Number(at === first)],
  [
    'subgroupBallot(lane % 2u == 1u).x',
    (_, { length }) => (length === 4 ? 10 : length === 8 ? 170 : length === 16 ? 43690 : 0xaaaaaaaa),
  ],
  ['subgroupBallot(lane == 40u).y', (_, { length }) => (length > 40 ? 256 : 0)],
  ['quadBroadcast(at, 3u)', (at) => at | 3],
  ['quadSwapX(at)', (at) => at ^ 1],
  ['quadSwapY(at)', (at) => at ^ 2],
  ['quadSwapDiagonal(at)', (at) => at ^ 3],
  ['subgroupAdd(vec3(at, 1u, 2u)).z', (_, { length }) => 2 * length],
];

/** An expression, and what it gives: from the invocation's index and those of its subgroup. */
export interface SubgroupOperation {
  readonly expression: string;
  readonly expected: (at: number, members: readonly number[]) => number;
}

/** Every subgroup operation. */
export function subgroupOperations(): readonly SubgroupOperation[] {
  return list.map(([expression, expected]) => ({ expression, expected }));
}
