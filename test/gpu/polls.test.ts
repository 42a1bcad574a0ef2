import { describe, expect, it } from 'vitest';
import { testDevice } from './dawn.js';

const open = await testDevice();

describe.skipIf(!open)('waiting for the device', () => {
  it('asks Dawn a few times in a millisecond, and does not keep a core busy with it', async () => {
    const { device } = open!;
    const { setImmediate } = globalThis;
    let polls = 0;
    globalThis.setImmediate = ((...args: Parameters<typeof setImmediate>) => {
      polls++;
      return setImmediate(...args);
    }) as typeof setImmediate;
    try {
      const module = device.createShaderModule({
        code: `
          @group(0) @binding(0) var<storage, read_write> sums: array<f32>;
          @compute @workgroup_size(1) fn add() {
            for (var i = 0u; i < 20000000u; i++) { sums[0] += f32(i); }
          }`,
      });
      const pipeline = device.createComputePipeline({ layout: 'auto', compute: { module } });
      const buffer = device.createBuffer({ size: 4, usage: GPUBufferUsage.STORAGE });
      const bindGroup = device.createBindGroup({
        layout: pipeline.getBindGroupLayout(0),
        entries: [{ binding: 0, resource: { buffer } }],
      });
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, bindGroup);
      pass.dispatchWorkgroups(1);
      pass.end();
      device.queue.submit([encoder.finish()]);
      const start = performance.now();
      await device.queue.onSubmittedWorkDone();
      const waited = performance.now() - start;
      buffer.destroy();
      // Less than that is no time in which the polls could tell anything.
      expect(waited).toBeGreaterThan(5);
      expect(polls).toBeGreaterThan(0);
      expect(polls / waited).toBeLessThan(11);
    } finally {
      globalThis.setImmediate = setImmediate;
    }
  });
});
