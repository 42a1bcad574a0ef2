import type { Fault, PassTrace, Site } from '../simulator/trace.js';
import type { Hazard, HazardFix } from './hazard.js';
import { hazardOf, variableText, type HazardParts, type HazardSearch } from './hazard-context.js';
import { boundFix } from './hazard-fixes.js';
import { timesText, tupleText } from './hazard-words.js';

/**
 * The faults of a simulated case, told for people. An index that overflowed is not told to be out of bounds as well, and
 * of the barriers that not all reach only the first: from there on the invocations of the pass are out of step.
 */
export function faultHazards(search: HazardSearch): readonly Hazard[] {
  return search.context.simulation.passes.flatMap((pass) =>
    pass.faults
      .filter((fault) => !followsFromAnother(pass, fault))
      .map((fault) =>
        hazardOf(search, {
          span: fault.span,
          variable: fault.variable,
          count: fault.count,
          example: {
            entry: pass.entry,
            workgroup: fault.workgroup,
            invocations: [fault.invocation],
            epoch: fault.epoch,
          },
          ...tell(search, pass, fault),
        }),
      ),
  );
}

function followsFromAnother({ faults }: PassTrace, fault: Fault): boolean {
  const { kind, span } = fault;
  if (kind === 'non-uniform-barrier') return faults.find((other) => other.kind === kind) !== fault;
  const inside = (other: Fault): boolean => span.start <= other.span.start && other.span.end <= span.end;
  return kind === 'out-of-bounds' && faults.some((other) => other.kind === 'index-overflow' && inside(other));
}

type Told = Pick<HazardParts, 'kind' | 'severity' | 'message' | 'remedy' | 'other' | 'fix'>;

const plain = { other: null, fix: null } as const;

function tell(search: HazardSearch, pass: PassTrace, fault: Fault): Told {
  const who = `invocation ${fault.invocation} of workgroup ${tupleText(fault.workgroup)}`;
  const times = timesText(fault.count);
  switch (fault.kind) {
    case 'out-of-bounds':
      return tellBounds(search, pass, fault, who);
    case 'non-uniform-barrier':
      return tellBarrier(search, fault, who);
    case 'non-uniform-subgroup':
      return {
        ...plain,
        kind: fault.kind,
        severity: 'warning',
        message: `Only a part of the subgroup of ${who} reaches this operation together.${times} What the others would have brought is missing.`,
        remedy: 'Move it out of the condition or loop that invocations of a subgroup pass differently.',
      };
    case 'non-uniform-operand':
      return {
        ...plain,
        kind: fault.kind,
        severity: 'error',
        message: `An operand of this matrix operation differs within a subgroup: ${who} brings another one than invocation ${numberText(fault.index)}.${times} What a GPU makes of it is open.`,
        remedy:
          'Compute offset, stride and matrices from what is the same for the whole subgroup, such as its subgroup_id.',
      };
    case 'matrix-stride':
      return {
        ...plain,
        kind: fault.kind,
        severity: 'error',
        message: `The stride is ${numberText(fault.index)} in ${who}, and the ${numberText(fault.limit)} that one row or column of the matrix takes is the least: WGSL leaves open what is read and written.${times}`,
        remedy: 'Give the distance from one row (or column) to the next, in elements of the array.',
      };
    case 'index-overflow':
      return {
        ...plain,
        kind: fault.kind,
        severity: 'error',
        message: `This comes to ${numberText(fault.index)} in ${who}, which 32 bits do not hold: the index is another one.${times}`,
        remedy: 'Order the terms so that no step goes below zero or beyond the type, or take a wider step per index.',
      };
    case 'division-by-zero':
      return {
        ...plain,
        kind: fault.kind,
        severity: 'warning',
        message: `The divisor is 0 in ${who}. WGSL takes the dividend itself for the quotient, and 0 for the remainder.${times}`,
        remedy: 'Guard the division, or see to it that the divisor is at least 1.',
      };
    case 'endless-loop':
      return {
        ...plain,
        kind: fault.kind,
        severity: 'error',
        message: `This loop does not end: ${who} was given up in it. A GPU would be lost here.`,
        remedy: 'See to it that every time round brings the condition closer to its end.',
      };
  }
}

const numberText = (value: number | null): string => (value === null ? 'a number' : String(value));

/** The site that a fault of an index belongs to: the innermost that holds it. */
function siteOf({ sites }: PassTrace, { span, variable }: Fault): Site | null {
  const around = sites.filter((site) => {
    const holds = site.span.start <= span.start && span.end <= site.span.end;
    return holds && (variable === null || site.variable === variable);
  });
  around.sort((a, b) => a.span.end - a.span.start - (b.span.end - b.span.start));
  return around[0] ?? null;
}

function tellBounds(search: HazardSearch, pass: PassTrace, fault: Fault, who: string): Told {
  const site = siteOf(pass, fault);
  const name = fault.variable === null ? 'what is indexed here' : variableText(search, fault.variable);
  const writes = site?.kind === 'write';
  const hidden = writes ? 'WGSL writes to another element, or not at all.' : 'WGSL reads another element instead.';
  const fix = fixBounds(search, pass, fault, site);
  return {
    kind: 'out-of-bounds',
    severity: 'error',
    message: `Index ${numberText(fault.index)} of ${name} is out of bounds in ${who}: there are ${numberText(fault.limit)} elements.${timesText(fault.count)} ${hidden}`,
    remedy: writes
      ? 'Write only where the index is in bounds.'
      : 'Bound the index, or read only where it is in bounds.',
    other: null,
    fix,
  };
}

function fixBounds(
  { context, indexOf }: HazardSearch,
  pass: PassTrace,
  fault: Fault,
  site: Site | null,
): HazardFix | null {
  const index = indexOf(pass.entry);
  const access = index?.elementAt(fault.span);
  // The offset of a subgroup matrix may hold an element access that is in order.
  if (!index || access?.index.span.start !== fault.span.start || access.index.span.end !== fault.span.end) return null;
  const statement = site?.kind === 'write' ? index.statementAt(site.functionName, site.span) : null;
  const store = statement?.kind === 'assign' || statement?.kind === 'update' ? statement : null;
  if (site?.kind === 'write' && !store) return null;
  return boundFix(context.source, access, store, fault.variable ?? 'the array');
}

function tellBarrier({ context }: HazardSearch, fault: Fault, who: string): Told {
  const { otherSpan } = fault;
  const elsewhere = otherSpan
    ? `others wait at the one in line ${context.lines.lineAt(otherSpan.start)}`
    : 'others have ended without it';
  return {
    kind: 'non-uniform-barrier',
    severity: 'error',
    message: `Only some invocations of workgroup ${tupleText(fault.workgroup)} reach this barrier (${who} does), while ${elsewhere}. On a GPU that hangs or lets them run on unordered.`,
    remedy: 'Let all invocations of the workgroup reach the same barriers: guard the work, not the barrier.',
    other: otherSpan ? { span: otherSpan, label: 'Others wait here.' } : null,
    fix: null,
  };
}
