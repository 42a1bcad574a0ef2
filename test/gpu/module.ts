/**
 * Runs one workgroup of a module's entry point `main` on a device, with its buffers as the bindings 0, 1, … of group 0.
 * Returns the words of the last buffer after it; throws what the device says of a module it does not take.
 */
export async function resultsOnDevice(
  device: GPUDevice,
  code: string,
  words: readonly Int32Array<ArrayBuffer>[],
): Promise<Uint32Array> {
  device.pushErrorScope('validation');
  const module = device.createShaderModule({ code });
  const pipeline = device.createComputePipeline({ layout: 'auto', compute: { module, entryPoint: 'main' } });
  const error = await device.popErrorScope();
  if (error) throw new Error(`${error.message}\n${code}`);
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
  const buffers = words.map((given) => {
    const buffer = device.createBuffer({ size: given.byteLength, usage });
    device.queue.writeBuffer(buffer, 0, given);
    return buffer;
  });
  const results = buffers.at(-1)!;
  const { size } = results;
  const read = device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
  pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
  pass.dispatchWorkgroups(1);
  pass.end();
  encoder.copyBufferToBuffer(results, 0, read, 0, size);
  device.queue.submit([encoder.finish()]);
  await read.mapAsync(GPUMapMode.READ);
  const there = new Uint32Array(read.getMappedRange().slice(0));
  for (const buffer of [...buffers, read]) buffer.destroy();
  return there;
}
