import type { Site } from '../simulator/trace.js';
import { BankModel, emptyBankUse } from './banks.js';
import { emptyFootprint, measureFootprint } from './coalescing.js';
import { lineBytes } from './ledger.js';
import type { Instruction } from './traffic-instructions.js';

/** What an instruction that asks no banks has of them. */
const noBankUse = emptyBankUse();

/** What one instruction of a subgroup moves. */
export interface InstructionCost {
  /** Bytes that at least one lane asks for, and the sectors and lines that they lie in. */
  readonly bytes: number;
  readonly sectors: number;
  readonly lines: number;
  /** Cycles of the banks of workgroup memory, as they are and as they would be without conflicts; else 0. */
  readonly cycles: number;
  readonly cyclesWithoutConflicts: number;
  /** The bits that are set in any of the addresses, up to those of a line. */
  readonly addressBits: number;
}

/** How the lanes of the last instruction of a site lay to each other, and what such instructions cost. */
interface Pattern {
  lane: number;
  count: number;
  readonly addresses: Uint32Array;
  /** By the place of the first address in its line: all that a cost depends on beside the pattern. */
  readonly costs: (InstructionCost | null)[];
}

/**
 * Measures the instructions of a pass. Loops move the same pattern of lanes over memory, round by round: only those are
 * measured whose pattern, or its place in a line, is new to their site.
 */
export class InstructionMeter {
  readonly #patterns: readonly Pattern[];
  readonly #footprint = emptyFootprint();
  readonly #bankUse = emptyBankUse();
  readonly #bankModel = new BankModel();

  constructor(
    readonly sites: readonly Site[],
    subgroupSize: number,
  ) {
    this.#patterns = sites.map(() => ({
      lane: 0,
      count: 0,
      addresses: new Uint32Array(subgroupSize),
      costs: new Array<InstructionCost | null>(lineBytes).fill(null),
    }));
  }

  /** The cost of an instruction; may change the order of its addresses. */
  measure(instruction: Instruction): InstructionCost {
    const { site, from, to, addresses, lanes } = instruction;
    // A pattern is one of neighbouring lanes: comparing addresses alone is then enough.
    if (lanes[to - 1]! - lanes[from]! !== to - from - 1) return this.#measureAnew(instruction);
    const pattern = this.#patterns[site]!;
    if (!follows(pattern, instruction)) begin(pattern, instruction);
    return (pattern.costs[addresses[from]! % lineBytes] ??= this.#measureAnew(instruction));
  }

  #measureAnew({ site: at, from, to, addresses, lanes }: Instruction): InstructionCost {
    const site = this.sites[at]!;
    const footprint = this.#footprint;
    const use = site.space === 'workgroup' ? this.#bankUse : noBankUse;
    let addressBits = 0;
    for (let index = from; index < to; index++) addressBits |= addresses[index]!;
    if (site.space === 'workgroup') {
      this.#bankModel.measure(addresses, lanes, from, to, site.bytes, site.kind === 'atomic', use);
    }
    measureFootprint(addresses, from, to, site.bytes, footprint);
    return { ...footprint, ...use, addressBits: addressBits % lineBytes };
  }
}

/** Whether the lanes are those of the pattern, and all as far from where they were. */
function follows(pattern: Pattern, { from, to, addresses, lanes }: Instruction): boolean {
  const before = pattern.addresses;
  if (pattern.count !== to - from || pattern.lane !== lanes[from]) return false;
  const shift = addresses[from]! - before[0]!;
  for (let index = from + 1; index < to; index++) {
    if (addresses[index]! - before[index - from]! !== shift) return false;
  }
  return true;
}

function begin(pattern: Pattern, { from, to, addresses, lanes }: Instruction): void {
  pattern.lane = lanes[from]!;
  pattern.count = to - from;
  pattern.addresses.set(addresses.subarray(from, to));
  pattern.costs.fill(null);
}
