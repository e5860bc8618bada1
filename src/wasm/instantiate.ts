import { instantiateSync } from "@assemblyscript/loader";
import type { Kernels } from "./abi.js";

/**
 * The kernels of one compiled variant over `memory`, which must be shared for the `-threads` variants and only for them.
 *
 * These are the instance's own exports: the loader's wrappers take rest arguments, which would cost more than a small kernel.
 */
export function instantiateKernels(module: WebAssembly.Module, memory: WebAssembly.Memory): Kernels {
  const { instance } = instantiateSync(module, { env: { memory } });
  return instance.exports as unknown as Kernels;
}
