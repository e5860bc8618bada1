import { JanusError } from "../errors.js";
import type { Tensor } from "../tensor.js";
import { elements, shapeText } from "../tensor.js";

/** Zeros of the given dims. E_OOM when the host has no memory for them, or no array is that long. */
export function zeroFloats(dims: readonly number[]): Float32Array<ArrayBuffer> {
  const count = elements(dims);
  try {
    // An array of NaN elements would be an empty one.
    if (Number.isNaN(count)) throw new RangeError("the number of elements is no safe integer");
    return new Float32Array(count);
  } catch (cause) {
    throw new JanusError(
      "E_OOM",
      `allocating ${shapeText(dims)} float32: the host has no memory for it; give fewer or shorter requests`,
      { cause },
    );
  }
}

/** The parts one after another, as one float32 tensor of the given dims. */
export function stackFloats(parts: readonly Float32Array[], dims: readonly number[]): Tensor<"float32"> {
  const data = zeroFloats(dims);
  let at = 0;
  for (const part of parts) {
    data.set(part, at);
    at += part.length;
  }
  return { type: "float32", dims, data };
}

/** Consecutive pieces of `length` elements, as views. */
export function* splitFloats(data: Float32Array, length: number): Generator<Float32Array> {
  for (let at = 0; at < data.length; at += length) yield data.subarray(at, at + length);
}

/** E_SHAPE (of an input) unless `tensor` is float32 with dims that match `expected`; a null dim matches anything. */
export function checkFloats(
  operation: string,
  name: string,
  tensor: Tensor<"float32">,
  expected: readonly (number | null)[],
): void {
  const dims = tensor?.dims ?? [];
  const fits = dims.length === expected.length && expected.every((d, at) => d === null || d === dims[at]);
  const whole =
    tensor?.type === "float32" && tensor.data instanceof Float32Array && tensor.data.length === elements(dims);
  if (fits && whole) return;
  const wanted = shapeText(expected.map((d) => d ?? Number.NaN)).replaceAll("NaN", "*");
  const got = fits ? `${tensor?.type} data of ${tensor?.data?.length} elements` : `${tensor?.type} ${shapeText(dims)}`;
  throw new JanusError("E_SHAPE", `${operation}: ${name} must be float32 ${wanted}, got ${got}`, { origin: "input" });
}

/** E_NUMERIC when `data` holds NaN or infinity: a wrong pixel or feature would spread over the whole sequence. */
export function checkFinite(operation: string, name: string, data: Float32Array): void {
  const at = data.findIndex((value) => !Number.isFinite(value));
  if (at < 0) return;
  throw new JanusError("E_NUMERIC", `${operation}: ${name} must be finite, got ${data[at]} at index ${at}`);
}
