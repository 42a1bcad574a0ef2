import { describe, expect, it } from 'vitest';
import { lowerProgram } from '../../src/core/wgsl/lower.js';
import type { ConstantValue, Expression, ValueType } from '../../src/core/wgsl/program.js';
import { constantExpressions } from '../core/wgsl/constant-snippets.js';
import { body, runtimeExpressions, statements, wrongStatements } from '../core/wgsl/snippets.js';
import { testDevice } from './dawn.js';

const open = await testDevice();
const hasF16 = open?.device.features.has('shader-f16') === true;
const hasSubgroups = open?.device.features.has('subgroups') === true;

/** Whether the device has what a snippet needs. */
const isTaken = (snippet: string): boolean =>
  (hasF16 || !/f16\b|F16|\b(?:vec\d|mat\dx\d)h\b|\dh\b|\bh\b|halves/.test(snippet)) &&
  (hasSubgroups || !/subgroup|quad|lanes/.test(snippet));

/** The entry point with a snippet, without what the device does not have. */
function program(snippet: string): string {
  const enables = [...(hasF16 ? ['enable f16;'] : []), ...(hasSubgroups ? ['enable subgroups;'] : [])];
  let text = body(snippet);
  if (!hasF16) text = text.replace(/^.*halves: array<f16>;$/m, '').replace('var h = 1h;', '');
  if (!hasSubgroups) text = text.replace(/,\s*@builtin\(subgroup_size\) lanes: u32/, '');
  return `${enables.join('\n')}\n${text}`;
}

/** The errors of the device's own compiler. */
async function errorsOf(code: string): Promise<readonly string[]> {
  const { device } = open!;
  device.pushErrorScope('validation');
  const module = device.createShaderModule({ code });
  const { messages } = await module.getCompilationInfo();
  const errors = messages.filter(({ type }) => type === 'error').map(({ message }) => message);
  const failure = await device.popErrorScope();
  return failure === null ? errors : [...errors, failure.message];
}

/** Every scalar of a constant: how WGSL reads it from a variable, and the word it is. */
function words(type: ValueType, value: ConstantValue, path: string): [path: string, word: number][] {
  if (typeof value === 'object') {
    return value.flatMap((part, index) => {
      const member = type.kind === 'struct' ? type.members[index]! : null;
      if (member !== null) return words(member.type, part, `${path}.${member.name}`);
      return words(partType(type), part, `${path}[${index}]`);
    });
  }
  const scalar = type.kind === 'scalar' ? type.scalar : 'u32';
  if (scalar === 'bool') return [[`select(0u, 1u, ${path})`, Number(value)]];
  if (scalar === 'f32' || scalar === 'f16') {
    return [[`bitcast<u32>(f32(${path}))`, new Uint32Array(Float32Array.of(Number(value)).buffer)[0]!]];
  }
  return [[`bitcast<u32>(${path})`, Number(value) >>> 0]];
}

function partType(type: ValueType): ValueType {
  if (type.kind === 'vector') return { kind: 'scalar', scalar: type.scalar };
  if (type.kind === 'matrix') return { kind: 'vector', width: type.rows, scalar: type.scalar };
  if (type.kind === 'array') return type.element;
  throw new Error(`${type.kind} has no parts`);
}

function constantOf(expression: string): Expression & { readonly kind: 'constant' } {
  const lowered = lowerProgram(body(`let result = ${expression};`), (offset) => offset, 'main', {});
  const statement = lowered.ok ? lowered.program.entry.function.body.at(-1) : null;
  if (statement?.kind !== 'let' || statement.initializer.kind !== 'constant') throw new Error(expression);
  return statement.initializer;
}

/** The words that an entry point stores to its only buffer, in bind group 3. */
async function run(code: string, count: number): Promise<Uint32Array> {
  const { device } = open!;
  const module = device.createShaderModule({ code });
  const pipeline = device.createComputePipeline({ layout: 'auto', compute: { module, entryPoint: 'main' } });
  const size = count * 4;
  const buffer = device.createBuffer({ size, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC });
  const copy = device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  const layout = pipeline.getBindGroupLayout(3);
  pass.setBindGroup(3, device.createBindGroup({ layout, entries: [{ binding: 0, resource: { buffer } }] }));
  pass.dispatchWorkgroups(1);
  pass.end();
  encoder.copyBufferToBuffer(buffer, 0, copy, 0, size);
  device.queue.submit([encoder.finish()]);
  await copy.mapAsync(GPUMapMode.READ);
  const result = new Uint32Array(copy.getMappedRange().slice(0));
  buffer.destroy();
  copy.destroy();
  return result;
}

/** Functions that WGSL lets a compiler compute with an error of some units in the last place. */
const isInexact = /\b(?:sqrt|exp2|log2|pow|normalize|length|distance|refract|reflect|degrees|acos|mix|smoothstep)\b/;
const mostUnits = 2;

describe.skipIf(!open)('the WGSL that programs are made from', () => {
  it('has constants that are bit for bit those of the device', async () => {
    const taken = constantExpressions.filter(([expression]) => isTaken(expression));
    expect(taken.length).toBeGreaterThan(100);
    const expected = taken.map(([expression]) => {
      const { type, value } = constantOf(expression);
      return words(type, value, 'result');
    });
    let at = 0;
    const stores = taken.map(([expression], index) => {
      const lines = expected[index]!.map(([path]) => `words[${at++}] = ${path};`);
      return `{ let result = ${expression}; ${lines.join(' ')} }`;
    });
    const output = '@group(3) @binding(0) var<storage, read_write> words: array<u32>;';
    const code = `${program(stores.join('\n'))}\n${output}`;
    expect(await errorsOf(code)).toEqual([]);
    const found = await run(code, at);
    at = 0;
    const wrong: string[] = [];
    for (const [index, [expression]] of taken.entries()) {
      for (const [path, word] of expected[index]!) {
        const got = found[at++]!;
        const isRight = isInexact.test(expression) ? Math.abs(got - word) <= mostUnits : got === word;
        if (!isRight) wrong.push(`${expression} at ${path}: ${word}, device ${got}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('is WGSL to the device too', async () => {
    const snippets = [...runtimeExpressions.map(([text]) => `_ = ${text};`), ...statements.map(([text]) => text)];
    const wrong: string[] = [];
    for (const snippet of snippets.filter(isTaken)) {
      const errors = await errorsOf(program(snippet));
      if (errors.length > 0) wrong.push(`${snippet}: ${errors[0]}`);
    }
    expect(wrong).toEqual([]);
  });

  it('is refused where the device refuses it', async () => {
    const accepted: string[] = [];
    for (const [snippet, , code] of wrongStatements) {
      if (code !== 'simulator-type' || !isTaken(snippet)) continue;
      if ((await errorsOf(program(snippet))).length === 0) accepted.push(snippet);
    }
    expect(accepted).toEqual([]);
  });
});
