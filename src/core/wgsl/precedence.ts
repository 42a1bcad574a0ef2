/**
 * How strongly the binary operators of WGSL (and of C) bind, 1 weakest. All group from the left. Where WGSL asks for
 * parentheses instead (`a & b | c`), the driver's compiler says so.
 */
export const precedence: Readonly<Record<string, number>> = {
  '||': 1,
  '&&': 2,
  '|': 3,
  '^': 4,
  '&': 5,
  '==': 6,
  '!=': 6,
  '<': 7,
  '<=': 7,
  '>': 7,
  '>=': 7,
  '<<': 8,
  '>>': 8,
  '+': 9,
  '-': 9,
  '*': 10,
  '/': 10,
  '%': 10,
};
