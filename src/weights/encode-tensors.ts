import { JanusError, quote } from "../errors.js";
import { elements, shapeText, type Tensor, type TensorType } from "../tensor.js";
import { encodeSafetensorsHeader } from "./safetensors.js";

/** A safetensors file about to be written: the header, then the data of every tensor as a view, nothing copied. */
export interface EncodedTensors {
  readonly bytes: number;
  readonly chunks: readonly Uint8Array[];
}

/** The dtype of a file, and the array, of every element type; widest first: the order that keeps every tensor aligned. */
const DTYPES: readonly (readonly [TensorType, string, { readonly name: string }])[] = [
  ["int64", "I64", BigInt64Array],
  ["float32", "F32", Float32Array],
  ["bool", "BOOL", Uint8Array],
  ["uint8", "U8", Uint8Array],
];

/**
 * Names and tensors as the bytes of one safetensors file. Tensors of one width keep the order given; the same input gives the same bytes.
 *
 * @throws JanusError E_SHAPE when a tensor is not one of those types, or its data not as long as its shape says.
 */
export function encodeTensors(
  tensors: Iterable<readonly [name: string, tensor: Tensor]>,
  metadata: Readonly<Record<string, string>> = {},
): EncodedTensors {
  const given = [...tensors];
  for (const [name, tensor] of given) checkTensor(name, tensor);
  const ordered = DTYPES.flatMap(([type, dtype]) =>
    given.filter(([, tensor]) => tensor.type === type).map(([name, { dims, data }]) => ({ name, dtype, dims, data })),
  );
  const header = encodeSafetensorsHeader(
    ordered.map(({ name, dtype, dims }) => ({ name, dtype, shape: dims })),
    metadata,
  );
  const chunks = [header, ...ordered.map(({ data }) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength))];
  return { bytes: chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0), chunks };
}

function checkTensor(name: string, tensor: Tensor): void {
  const [, , array] = DTYPES.find(([type]) => type === tensor?.type) ?? [];
  if (!array || Object.prototype.toString.call(tensor.data) !== `[object ${array.name}]`) {
    const types = DTYPES.map(([type, , { name }]) => `${type} in a ${name}`).join(", ");
    throw refusal(name, `to be ${types}`, `${quote(tensor?.type)} in ${Object.prototype.toString.call(tensor?.data)}`);
  }
  if (!Array.isArray(tensor.dims) || tensor.data.length !== elements(tensor.dims)) {
    throw refusal(name, `to fill ${shapeText(tensor.dims ?? [])}`, `${tensor.data.length} elements`);
  }
  if (tensor.type === "bool" && (tensor.data as Uint8Array).some((value) => value > 1)) {
    throw refusal(name, "to be 0 and 1", "another value");
  }
  if (name === "__metadata__")
    throw refusal(name, "to have another name, which the format keeps for itself", quote(name));
}

function refusal(name: string, expected: string, got: string): JanusError {
  return new JanusError("E_SHAPE", `write safetensors: expected the data of ${quote(name)} ${expected}, got ${got}`, {
    origin: "output",
  });
}
