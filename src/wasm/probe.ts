import type { Kernels } from "./abi.js";
import { instantiateKernels } from "./instantiate.js";
import { outOfMemory } from "./memory.js";
import { isRelaxed, isThreaded, type Variant, type VariantFamily, variantOf } from "./variants.js";

/** What the relaxed 8-bit dot does with a top bit set in its second operand, by the value of `probeDot8`. */
export const DOT8 = ["absent", "unsigned", "signed", "inexact"] as const;
export type Dot8 = (typeof DOT8)[number];

/** A variant's bytes, or the module where the host compiles ahead of time. */
export type VariantBinary = BufferSource | WebAssembly.Module;

export interface VariantReport {
  readonly name: Variant;
  /** It compiles, links and runs here. */
  readonly ok: boolean;
  /** One clause: why not, or what was found. */
  readonly why: string;
  /** Multiply-add rounds once. */
  readonly fma: boolean;
  readonly dot8: Dot8;
  /** Compiled, when `ok`: ready to be posted to workers. */
  readonly module?: WebAssembly.Module;
}

const PAGE_BYTES = 65536;

/** E_OOM when not even a page of memory can be had. What this engine makes of one variant: validity first, then behaviour, never the engine's name. */
export async function probeVariant(name: Variant, binary: VariantBinary): Promise<VariantReport> {
  const refused = (why: string): VariantReport => ({ name, ok: false, why, fma: false, dot8: "absent" });
  let memory: WebAssembly.Memory;
  try {
    memory = probeMemory(name);
  } catch (error) {
    // A page that cannot be had is a lack of memory, whatever the variant; a page that must not be shared is one of the engine.
    if (error instanceof RangeError) throw outOfMemory(PAGE_BYTES, error);
    return refused(`no shared memory here: ${reason(error)}`);
  }
  if (!(binary instanceof WebAssembly.Module) && !WebAssembly.validate(binary)) {
    return refused(isRelaxed(name) ? "this engine has no relaxed SIMD" : "this engine does not accept the binary");
  }
  let module: WebAssembly.Module;
  let kernels: Kernels;
  try {
    module = await moduleOf(binary);
    kernels = instantiateKernels(module, memory);
  } catch (error) {
    return refused(`it does not start: ${reason(error)}`);
  }
  const fma = kernels.probeFma() === 1;
  const dot8 = DOT8[kernels.probeDot8()] ?? "inexact";
  return { name, ok: true, why: found(name, fma, dot8), fma, dot8, module };
}

/** Compiled, unless it is already. */
export async function moduleOf(binary: VariantBinary): Promise<WebAssembly.Module> {
  return binary instanceof WebAssembly.Module ? binary : WebAssembly.compile(binary);
}

/**
 * The family to take when none was asked for: `relaxed` when it runs here and fuses multiply-add, else `simd`. Without fusion the relaxed
 * binary would round like the plain one and be no faster.
 */
export function defaultFamily(reports: readonly VariantReport[], threaded: boolean): VariantFamily {
  const relaxed = reports.find((report) => report.name === variantOf("relaxed", threaded));
  return relaxed?.ok && relaxed.fma ? "relaxed" : "simd";
}

function probeMemory(name: Variant): WebAssembly.Memory {
  return new WebAssembly.Memory({ initial: 1, maximum: 1, shared: isThreaded(name) });
}

function found(name: Variant, fma: boolean, dot8: Dot8): string {
  if (!isRelaxed(name)) return "128-bit SIMD";
  return `relaxed SIMD: multiply-add ${fma ? "fused" : "not fused"}, 8-bit dot ${dot8}`;
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
