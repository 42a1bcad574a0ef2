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
  const gpu = create([...flags]);
  keep(gpu);
  return gpu;
}

const kept: unknown[] = [];
Object.assign(globalThis, { tilescopeKept: kept });

/** Keeps an object of Dawn's alive for as long as the process lives. */
export function keep(...objects: unknown[]): void {
  kept.push(...objects);
}
