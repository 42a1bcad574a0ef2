/**
 * Dawn's `create()` flags from the value of `TILESCOPE_DAWN_FLAGS`, which separates them by semicolons or spaces
 * (their values contain commas): `backend=vulkan; enable-dawn-features=allow_unsafe_apis,dump_shaders`.
 * A word without `=` is the name of a toggle to enable. Without the variable, only timestamps are made exact.
 */
export function dawnFlags(value: string | undefined): string[] {
  if (value === undefined) return ['disable-dawn-features=timestamp_quantization'];
  const words = value.split(/[;\s]+/).filter((word) => word !== '');
  const flags = words.filter((word) => word.includes('='));
  const toggles = words.filter((word) => !word.includes('='));
  return toggles.length > 0 ? [...flags, `enable-dawn-features=${toggles.join(',')}`] : flags;
}

/**
 * Loads Dawn, installs WebGPU's global names, and returns its entry point; throws where its binary cannot be loaded.
 * Everything Dawn hands out has to stay referenced from `globalThis`: collected too early, it takes the process along.
 */
export async function loadDawn(flags: readonly string[]): Promise<GPU> {
  const { create, globals } = await import('webgpu');
  Object.assign(globalThis, globals);
  restBetweenPolls();
  const gpu = create([...flags]);
  keep(gpu);
  return gpu;
}

/** Milliseconds between two questions of Dawn's whether the device is done: 0.2 % of the shortest sample the CPU times. */
const restMs = 0.1;
let rests = false;

/**
 * While a promise of Dawn's is open, its Node binding asks the device in every turn of the event loop, by the global
 * `setImmediate`. That keeps a core busy, which drivers need for compiling (and a software adapter for all it does), and
 * leaves garbage behind each time. Here the thread sleeps for a moment before each question.
 */
function restBetweenPolls(): void {
  if (rests) return;
  rests = true;
  const never = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  globalThis.setImmediate = new Proxy(globalThis.setImmediate, {
    apply: (setNext, _, [callback, ...rest]: [(...values: unknown[]) => void, ...unknown[]]) =>
      setNext<unknown[]>(
        (...values) => {
          Atomics.wait(never, 0, 0, restMs);
          callback(...values);
        },
        ...rest,
      ),
  });
}

const kept: unknown[] = [];
Object.assign(globalThis, { tilescopeKept: kept });

/** Keeps an object of Dawn's alive for as long as the process lives. */
export function keep(...objects: unknown[]): void {
  kept.push(...objects);
}
