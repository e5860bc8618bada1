import { JanusError, quote } from "../errors.js";
import { elements, shapeText, type Tensor, type TensorType } from "../tensor.js";
import { EncodedFile } from "./encoded-file.js";
import { type FloatDtype, floatBytes, floatChunks } from "./float-chunks.js";
import { encodeSafetensorsHeader } from "./safetensors.js";

export interface EncodeTensorsOptions {
  /** What every float32 tensor is stored as; `fp32` when not given. */
  readonly dtype?: FloatDtype | undefined;
  /** The `__metadata__` of the file: text by text. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}

/** The dtype of a file, and the array, of every element type; widest first: the order that keeps every tensor aligned, floats of two bytes too. */
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
  { dtype: floats = "fp32", metadata = {} }: EncodeTensorsOptions = {},
): EncodedFile {
  const given = [...tensors];
  for (const [name, tensor] of given) checkTensor(name, tensor);
  const stored = ([type, dtype]: (typeof DTYPES)[number]) =>
    given
      .filter(([, tensor]) => tensor.type === type)
      .map(([name, tensor]) => ({ name, tensor, dtype: type === "float32" && floats === "bf16" ? "BF16" : dtype }));
  const ordered = DTYPES.flatMap(stored);
  const header = encodeSafetensorsHeader(
    ordered.map(({ name, dtype, tensor }) => ({ name, dtype, shape: tensor.dims })),
    metadata,
  );
  const bytes = ordered.reduce(
    (sum, { tensor }) => sum + (isFloat(tensor) ? tensor.data.length * floatBytes(floats) : tensor.data.byteLength),
    header.byteLength,
  );
  return new EncodedFile(bytes, function* () {
    yield header;
    for (const { tensor } of ordered) {
      const { data } = tensor;
      if (isFloat(tensor)) yield* floatChunks([tensor.data], floats);
      else yield new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    }
  });
}

function isFloat(tensor: Tensor): tensor is Tensor<"float32"> {
  return tensor.type === "float32";
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
