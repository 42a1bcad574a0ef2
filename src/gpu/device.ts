import { attempt, fault, type GpuFault, type GpuResult } from './failure.js';

/** What an adapter says about itself, and what its device was opened with. */
export interface AdapterDescription {
  readonly vendor: string;
  readonly architecture: string;
  readonly description: string;
  readonly device: string;
  /** Runs on the CPU: right for comparisons, never for headline speeds. */
  readonly software: boolean;
  readonly features: readonly string[];
  /** The limits the device was opened with, which are the adapter's own. */
  readonly limits: Readonly<Record<string, number>>;
  readonly timestamps: boolean;
  readonly subgroupMinSize: number | null;
  readonly subgroupMaxSize: number | null;
}

/** An open device, and what becomes of it. */
export interface OpenDevice {
  readonly adapter: GPUAdapter;
  readonly device: GPUDevice;
  readonly description: AdapterDescription;
  /** Resolves with the fault to report once the device is lost, for whatever reason; never rejects. */
  readonly lost: Promise<GpuFault>;
  readonly isLost: () => boolean;
  /** Errors no error scope caught since the last call, oldest first. */
  readonly takeUncapturedErrors: () => readonly string[];
}

/** Limits a compute kernel can run into; all are asked for at the adapter's own value. */
const computeLimits = [
  'maxBindGroups',
  'maxBindingsPerBindGroup',
  'maxBufferSize',
  'maxStorageBuffersPerShaderStage',
  'maxUniformBuffersPerShaderStage',
  'maxStorageBufferBindingSize',
  'maxUniformBufferBindingSize',
  'minStorageBufferOffsetAlignment',
  'minUniformBufferOffsetAlignment',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupSizeY',
  'maxComputeWorkgroupSizeZ',
  'maxComputeWorkgroupsPerDimension',
] as const;

/** Features a compute kernel may `enable` or the lab makes use of; those the adapter has are asked for. */
const computeFeatures: readonly string[] = [
  'timestamp-query',
  'shader-f16',
  'subgroups',
  'subgroup-size-control',
  'subgroup-id',
  'uniform-buffer-standard-layout',
  'linear-indexing',
  'chromium-experimental-subgroup-matrix',
];

/** Names by which software drivers are known: SwiftShader, Mesa's llvmpipe and lavapipe, Microsoft's WARP. */
const softwareNames = /swiftshader|llvmpipe|lavapipe|softpipe|\bwarp\b|basic render|software/i;

/**
 * Opens the machine's fastest adapter with its own limits and every compute feature it has.
 * Fails with `no-device` where there is no WebGPU or no adapter.
 */
export function openDevice(gpu: GPU | undefined): Promise<GpuResult<OpenDevice>> {
  return attempt(async () => {
    if (!gpu) {
      throw fault('no-device', 'There is no WebGPU here.', 'Use a browser or VS Code build with WebGPU enabled.');
    }
    const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
    if (!adapter) {
      throw fault(
        'no-device',
        'WebGPU found no adapter on this machine.',
        'Install a Vulkan, Metal or Direct3D 12 driver for the GPU, or a software driver such as SwiftShader.',
      );
    }
    return openAdapter(adapter);
  });
}

async function openAdapter(adapter: GPUAdapter): Promise<OpenDevice> {
  const requiredLimits: Record<string, number> = {};
  for (const name of computeLimits) requiredLimits[name] = adapter.limits[name];
  const requiredFeatures = computeFeatures.filter((name) => adapter.features.has(name)) as GPUFeatureName[];
  const device = await adapter.requestDevice({ requiredLimits, requiredFeatures }).catch((error: unknown) => {
    const message = error instanceof Error ? error.message : String(error);
    throw fault('no-device', `The GPU adapter refused to open a device: ${message}`, 'Check the GPU driver.');
  });

  let gone = false;
  const lost = device.lost.then((info) => {
    gone = true;
    return fault(
      'device-lost',
      info.reason === 'destroyed'
        ? 'The GPU device was closed while the kernel ran.'
        : `The GPU device was lost while the kernel ran: ${info.message || 'the driver gave no reason'}.`,
      'The next run opens a new device. If it is lost again, look for a very long loop or a crash in the driver.',
    );
  });
  const uncaptured: string[] = [];
  device.onuncapturederror = (event) => {
    uncaptured.push(event.error.message);
  };
  return {
    adapter,
    device,
    description: describe(adapter, device),
    lost,
    isLost: () => gone,
    takeUncapturedErrors: () => uncaptured.splice(0),
  };
}

/** What is known about a device and its adapter, as plain data. */
export function describe(adapter: GPUAdapter, device: GPUDevice): AdapterDescription {
  const { vendor, architecture, description, device: deviceName } = adapter.info;
  const limits: Record<string, number> = {};
  for (const name of computeLimits) limits[name] = device.limits[name];
  const names = `${vendor} ${architecture} ${description} ${deviceName}`;
  const hasSubgroups = device.features.has('subgroups');
  return {
    vendor,
    architecture,
    description,
    device: deviceName,
    software: adapter.info.isFallbackAdapter || softwareNames.test(names),
    features: [...device.features].sort(),
    limits,
    timestamps: device.features.has('timestamp-query'),
    subgroupMinSize: hasSubgroups ? (adapter.info.subgroupMinSize ?? null) : null,
    subgroupMaxSize: hasSubgroups ? (adapter.info.subgroupMaxSize ?? null) : null,
  };
}
