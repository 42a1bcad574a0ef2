import { Command, CommanderError } from 'commander';
import { invalidLayer } from '../core/attention/kv-cache.js';
import { readKernel } from '../core/kernel/read.js';
import type { CaseOverride, KernelSource } from '../lab/contract.js';
import { strangerIn } from '../lab/prepare.js';
import {
  parseCount,
  parseCounts,
  parseOptions,
  parseRunsOn,
  parseSeed,
  parseShape,
  parseSubgroupSize,
  parseWorkgroups,
  type RunsOn,
} from './arguments.js';
import { benchCommand } from './bench.js';
import { checkCommand } from './check.js';
import { compareCommand, type CompareRequest } from './compare.js';
import { consistencyCommand, consistencyKernels } from './consistency.js';
import { deviceCommand } from './device.js';
import { readKernels } from './files.js';
import { goldenCommand } from './golden.js';
import { hazardsCommand } from './hazards.js';
import { kvText } from './kv.js';
import { listText } from './list.js';
import { openSession, type Session } from './session.js';
import { stackText } from './stack.js';
import { paintFor } from './text.js';
import { traceCommand } from './trace.js';
import { exitCodes, UsageError, type ExitCode } from './usage.js';

interface CommonFlags {
  readonly json?: boolean;
  readonly verbose?: boolean;
}

interface ListFlags extends CommonFlags {
  readonly kernels?: boolean;
}

interface KvFlags {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly latentHeads: number;
  readonly elementBytes: number;
  readonly context: number;
  readonly queries: number;
  readonly devices: readonly number[];
  readonly json?: boolean;
}

interface StackFlags {
  readonly seqlen: number;
  readonly elementBytes: number;
  readonly stateBytes: number;
  readonly bench: readonly string[];
  readonly json?: boolean;
}

interface ShapeFlags extends CommonFlags {
  readonly shape?: Record<string, number>;
  readonly options?: CaseOverride['options'];
}

interface CaseFlags extends ShapeFlags {
  readonly seed: number;
}

interface CompareFlags extends CaseFlags {
  readonly device: RunsOn;
  readonly subgroupSize?: number;
}

interface TraceFlags extends ShapeFlags {
  readonly workgroups?: ReturnType<typeof parseWorkgroups>;
  readonly subgroupSize: number;
}

const epilogue = `
Exit codes: 0 right, 1 a kernel is wrong, 2 wrong usage, 3 no device.
FILES are kernels, folders of kernels or quoted globs, such as 'shaders/**/*.wgsl'.

Environment:
  TILESCOPE_DAWN_FLAGS   flags and toggles for Dawn, separated by spaces or semicolons, for example
                         "backend=vulkan enable-dawn-features=allow_unsafe_apis" or "vulkan_enable_f16_on_nvidia";
                         without it only timestamps are made exact (disable-dawn-features=timestamp_quantization)
  TILESCOPE_TIMEOUT_MS   milliseconds after which a kernel counts as never ending (10000; software: 60000)
  VK_ICD_FILENAMES       the Vulkan driver to use; without it and without a GPU, a software driver is looked for
  NO_COLOR, FORCE_COLOR  colours off, colours on`;

/** Runs the command line and returns the exit code. */
async function main(argv: readonly string[]): Promise<ExitCode> {
  const paint = paintFor(process.stdout, process.env);
  let code: ExitCode = exitCodes.right;
  const withSession = async (verbose: boolean, work: (session: Session) => Promise<ExitCode>): Promise<void> => {
    const session = openSession(paint, verbose);
    try {
      code = await work(session);
    } finally {
      session.progress(null);
      session.host.dispose();
    }
  };
  const program = new Command('tilescope')
    .description(
      'Run attention kernels written in WGSL, compare them with float64 reference math, measure them, and see inside.',
    )
    .addHelpText('after', epilogue)
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(paint.bad(text)) });

  program
    .command('list')
    .description('list the mechanisms and the forms each has: references, kernels, their storage')
    .option('--kernels', 'list the kernels that come along')
    .option('--json', 'print JSON')
    .action(({ kernels = false, json = false }: ListFlags) => {
      process.stdout.write(`${listText(paint, { kernels, json })}\n`);
    });
  program
    .command('kv')
    .description('compare what the mechanisms with a growing cache keep of a token, on one device and on several')
    .option('--heads <count>', 'query heads', parseCount, 32)
    .option('--kv-heads <count>', 'key and value heads of GQA and GTA', parseCount, 8)
    .option('--head-dim <width>', 'width of a head', parseCount, 128)
    .option('--latent-heads <count>', 'latent heads of Grouped Latent Attention', parseCount, 2)
    .option('--element-bytes <bytes>', 'bytes of a cached number: 2 for f16 or bf16, 4 for f32', parseCount, 2)
    .option('--context <tokens>', 'tokens in the cache', parseCount, 32768)
    .option('--queries <tokens>', 'new tokens a sequence brings to a step', parseCount, 1)
    .option('--devices <counts>', 'devices among which the heads are dealt out', parseCounts, [1, 2, 4, 8])
    .option('--json', 'print JSON')
    .action(({ heads, kvHeads: headsKv, headDim, latentHeads, devices, json = false, ...flags }: KvFlags) => {
      const layer = { heads, headsKv, headDim, latentHeads };
      const problem = invalidLayer(layer);
      if (problem !== null) throw new UsageError(`kv: ${problem}`);
      const step = { context: flags.context, queries: flags.queries, bytesPerElement: flags.elementBytes };
      process.stdout.write(`${kvText(paint, { layer, step, devices, json })}\n`);
    });
  program
    .command('stack <name>')
    .description(
      'what the attention of a model costs, layer by layer: minimax-01, modernbert-base, or a list of layers',
    )
    .option('--seqlen <tokens>', 'tokens of the sequence', parseCount, 32768)
    .option('--element-bytes <bytes>', 'bytes of a number of q, k, v, o and of a cache', parseCount, 2)
    .option('--state-bytes <bytes>', 'bytes of a number of a state', parseCount, 4)
    .option('--bench <files...>', 'files of bench --json, for predicted times', [])
    .option('--json', 'print JSON')
    .action((name: string, { seqlen, elementBytes, stateBytes, bench, json = false }: StackFlags) => {
      const at = { seqlen, elementBytes, stateBytes };
      process.stdout.write(`${stackText(paint, { name, at, measured: bench, json })}\n`);
    });
  withCommonFlags(program.command('check <files...>'))
    .description('find mistakes in kernel files, with the words of the driver')
    .action((files: string[], { json = false, verbose = false }: CommonFlags) => {
      const kernels = readKernels(files);
      return withSession(verbose, (session) => checkCommand(session, { kernels, json }));
    });
  withDeviceFlags(withCaseFlags(program.command('compare <files...>')))
    .description('compare kernels with the reference: at their own shape and their cases, or at one shape')
    .action((files: string[], flags: CompareFlags) => {
      const kernels = readKernels(files);
      const { json = false, seed, verbose = false } = flags;
      const override = overrideFor(kernels, flags);
      const simulated = simulatedBy(flags);
      return withSession(verbose, (session) => compareCommand(session, { kernels, override, seed, simulated, json }));
    });
  withCaseFlags(program.command('bench <files...>'))
    .description('measure kernels that are right')
    .action((files: string[], flags: CaseFlags) => {
      const kernels = readKernels(files);
      const { json = false, seed, verbose = false } = flags;
      const override = overrideFor(kernels, flags);
      return withSession(verbose, (session) => benchCommand(session, { kernels, override, seed, json }));
    });
  withDeviceFlags(withCaseFlags(program.command('consistency <files...>')))
    .description(
      'check kernels with a state against each other: split and resumed, decoded, in one run; or a mechanism',
    )
    .action((files: string[], flags: CompareFlags) => {
      const kernels = consistencyKernels(files);
      const { json = false, seed, verbose = false } = flags;
      const override = overrideFor(kernels, flags);
      const simulated = simulatedBy(flags);
      return withSession(verbose, (session) =>
        consistencyCommand(session, { kernels, override, seed, simulated, json }),
      );
    });
  withShapeFlags(program.command('trace <file>'))
    .description('simulate a kernel: which tile is where at each step, and every byte that moves; needs no GPU')
    .option(
      '--workgroups <ids>',
      'workgroups to look at beside the sampled ones, e.g. "0,0,0;attend:3,1,0", or all',
      parseWorkgroups,
    )
    .option('--subgroup-size <size>', 'invocations in a subgroup of the simulated GPU', parseSubgroupSize, 32)
    .action((file: string, flags: TraceFlags) => {
      const kernels = readKernels([file]);
      const [kernel] = kernels;
      if (!kernel || kernels.length > 1)
        throw new UsageError(`trace takes one kernel, and ${file} names ${kernels.length}.`);
      const { json = false, verbose = false, workgroups = 'sampled', subgroupSize } = flags;
      const override = overrideFor(kernels, flags);
      return withSession(verbose, (session) =>
        traceCommand(session, { kernel, override, workgroups, subgroupSize, json }),
      );
    });
  withShapeFlags(program.command('hazards <files...>'))
    .description('simulate kernels and look for races, accesses out of bounds, uninitialised memory; needs no GPU')
    .action((files: string[], flags: ShapeFlags) => {
      const kernels = readKernels(files);
      const { json = false, verbose = false } = flags;
      const override = overrideFor(kernels, flags);
      return withSession(verbose, (session) => hazardsCommand(session, { kernels, override, json }));
    });
  withCommonFlags(program.command('golden <folder>'))
    .description('check the references and the kernels against a folder of golden vectors')
    .action((folder: string, { json = false, verbose = false }: CommonFlags) =>
      withSession(verbose, (session) => goldenCommand(session, { folder, json })),
    );
  withCommonFlags(program.command('device'))
    .description('show the GPU that kernels run on')
    .action(({ json = false, verbose = false }: CommonFlags) =>
      withSession(verbose, (session) => deviceCommand(session, json)),
    );

  await program.parseAsync(argv, { from: 'user' });
  return code;
}

function withCommonFlags(command: Command): Command {
  return command.option('--json', 'print JSON').option('--verbose', 'show what the driver writes to stderr');
}

function withShapeFlags(command: Command): Command {
  return withCommonFlags(command)
    .option('--shape <sizes>', "sizes that replace the file's own, e.g. seqlen=300,headDim=64", parseShape)
    .option('--options <values>', "options that replace the file's own, e.g. causal=false,window=[15,0]", parseOptions);
}

function withCaseFlags(command: Command): Command {
  return withShapeFlags(command).option('--seed <number>', 'seed of the inputs', parseSeed, 1);
}

function withDeviceFlags(command: Command): Command {
  return command
    .option('--device <where>', 'where to run them: gpu, or simulator, which needs no GPU', parseRunsOn, 'gpu')
    .option('--subgroup-size <size>', 'invocations in a subgroup of the simulated GPU (32)', parseSubgroupSize);
}

/** The simulated GPU the flags ask for, or null for a real one. */
function simulatedBy({ device, subgroupSize }: CompareFlags): CompareRequest['simulated'] {
  if (device === 'simulator') return { subgroupSize: subgroupSize ?? 32 };
  if (subgroupSize === undefined) return null;
  throw new UsageError('--subgroup-size is for the simulator: add --device simulator.');
}

/** The case the flags ask for, or null; names that a kernel's mechanism does not have are wrong usage. */
function overrideFor(kernels: readonly KernelSource[], { shape, options }: ShapeFlags): CaseOverride | null {
  if (!shape && !options) return null;
  const override = { shape: shape ?? {}, options: options ?? {} };
  for (const { name, text } of kernels) {
    const mechanism = readKernel(text, name)?.mechanism;
    const stranger = mechanism && strangerIn(mechanism, override);
    if (stranger) throw new UsageError(`${name}: ${stranger.message} ${stranger.remedy}`);
  }
  return override;
}

function codeOf(error: unknown): ExitCode {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.right : exitCodes.usage;
  if (error instanceof UsageError) {
    process.stderr.write(`${error.message}\n`);
    return exitCodes.usage;
  }
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return exitCodes.wrong;
}

// Whoever reads the output may have enough of it, as `head` has after ten lines: that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

// The launcher that imports this module hands `process.exitCode` on.
process.exitCode = await main(process.argv.slice(2)).catch(codeOf);
