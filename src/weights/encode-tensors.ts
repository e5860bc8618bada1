import { JanusError, quote } from "../errors.js";
import { elements, shapeText, type Tensor, type TensorType } from "../tensor.js";
import { encodeSafetensorsHeader } from "./safetensors.js";

/** A safetensors file about to be written: the header, then the data of every tensor as a view, nothing copied. */
export interface EncodedTensors {
  readonly bytes: number;
  readonly chunks: readonly Uint8Array[];
}

/** The dtype of a file for every element type of a tensor, widest first: the order that keeps every tensor aligned. */
const DTYPES: readonly (readonly [TensorType, string])[] = [
  ["int64", "I64"],
  ["float32", "F32"],
  ["bool", "BOOL"],
  ["uint8", "U8"],
];

/**
 * Names and tensors as the bytes of one safetensors file. Tensors of one width keep the order given; the same input gives the same bytes.
 *
 * @throws JanusError E_SHAPE when the data of a tensor is not as long as its shape says.
 */
export function encodeTensors(
  tensors: Iterable<readonly [name: string, tensor: Tensor]>,
  metadata: Readonly<Record<string, string>> = {},
): EncodedTensors {
  const given = [...tensors];
  const ordered = DTYPES.flatMap(([type, dtype]) =>
    given.filter(([, tensor]) => tensor.type === type).map(([name, { dims, data }]) => ({ name, dtype, dims, data })),
  );
  for (const { name, dims, data } of ordered) {
    if (data.length === elements(dims)) continue;
    throw new JanusError(
      "E_SHAPE",
      `write safetensors: expected the data of ${quote(name)} to fill ${shapeText(dims)}, got ${data.length} elements`,
      { origin: "output" },
    );
  }
  const header = encodeSafetensorsHeader(
    ordered.map(({ name, dtype, dims }) => ({ name, dtype, shape: dims })),
    metadata,
  );
  const chunks = [header, ...ordered.map(({ data }) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength))];
  return { bytes: chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0), chunks };
}
