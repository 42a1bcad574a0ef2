import type { Mistake } from './mistake.js';

/** Mistakes in polynomial-features/polynomial-features.wgsl. */
export const polynomialExpand: readonly Mistake[] = [
  {
    name: 'products are not divided by the root of 2',
    find: 'select(1.0, inverseSqrt(2.0), taylor)',
    replace: '1.0',
    caughtBy: 'rows of 8',
    why: 'Each pair stands twice in taylor2.',
  },
  {
    name: 'every row of pairs starts at the first column',
    find: 'select(i, 0u, taylor)',
    replace: '0u',
    caughtBy: 'monomials of rows of 8',
    why: 'Monomials have i <= j, and what follows is written elsewhere.',
  },
  {
    name: 'no barrier before the next row',
    find: `    }
    workgroupBarrier();
  }
}`,
    replace: `    }
  }
}`,
    caughtBy: 'rows of 20',
    why: 'Others still multiply the numbers that are overwritten.',
  },
  {
    name: 'all heads read the rows of the first',
    find: 'numbers[d] = x[row * width + d];',
    replace: 'numbers[d] = x[(group.z * params.heads * params.seqlen + token) * width + d];',
    caughtBy: 'rows of 8',
    why: 'Every head has rows of its own.',
  },
  {
    name: 'the rest of the last rows is left out',
    find: 'min(group.x * ROWS + ROWS, params.seqlen)',
    replace: 'min(group.x * ROWS + ROWS, params.seqlen / ROWS * ROWS)',
    caughtBy: 'rows of 8',
    why: 'The number of rows is no multiple of ROWS.',
  },
];
