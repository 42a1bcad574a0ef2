import { nearestName } from './names.js';

/** A word that WGSL does not know at its place. `near` is the known word it is most likely meant to be. */
export interface UnknownWord {
  readonly what: string;
  readonly word: string;
  readonly start: number;
  readonly end: number;
  readonly near: string | null;
}

const attributes = [
  ...['align', 'binding', 'blend_src', 'builtin', 'color', 'compute', 'const', 'diagnostic', 'fragment', 'group', 'id'],
  ...['input_attachment_index', 'interpolate', 'invariant', 'location', 'must_use', 'size', 'subgroup_size', 'vertex'],
  ...['workgroup_size', 'if', 'elif', 'else'],
];
const builtins = [
  ...['barycentric_coord', 'clip_distances', 'frag_depth', 'front_facing', 'global_invocation_id'],
  ...['global_invocation_index', 'instance_index', 'local_invocation_id', 'local_invocation_index', 'num_subgroups'],
  ...['num_workgroups', 'position', 'primitive_index', 'sample_index', 'sample_mask', 'subgroup_id'],
  ...['subgroup_invocation_id', 'subgroup_size', 'vertex_index', 'view_index', 'workgroup_id', 'workgroup_index'],
];
const addressSpaces = ['function', 'private', 'workgroup', 'uniform', 'storage', 'handle', 'immediate', 'pixel_local'];

const places = [
  { what: 'an attribute', pattern: /@\s*([\p{XID_Start}_]\p{XID_Continue}*)/dgu, known: attributes },
  { what: 'a built-in value', pattern: /@\s*builtin\s*\(\s*([\p{XID_Start}_]\p{XID_Continue}*)/dgu, known: builtins },
  { what: 'an address space', pattern: /\bvar\s*<\s*([\p{XID_Start}_]\p{XID_Continue}*)/dgu, known: addressSpaces },
] as const;

/** Attributes, built-in values and address spaces in a text (comments blanked) that are not among those of WGSL. */
export function unknownWords(text: string): readonly UnknownWord[] {
  return places.flatMap(({ what, pattern, known }) =>
    [...text.matchAll(pattern)].flatMap((match) => {
      const [start, end] = match.indices![1]!;
      const word = match[1]!;
      return known.some((name) => name === word) ? [] : [{ what, word, start, end, near: nearestName(word, known) }];
    }),
  );
}
