/** ONNX's messages by the numbers of onnx.proto3: what the graphs of the bench and of the tests take of them. */
import { byteLength, embedded, float, integer, integers, type Message, type Payload, text } from "./protobuf.js";

/** Intermediate representation 8, what opset 17 came with. */
const IR_VERSION = 8;
export const OPSET = 17;

/** TensorProto.DataType */
export const FLOAT = 1;
const INT8 = 3;
export const INT64 = 7;
export const BOOL = 9;

/** AttributeProto.AttributeType */
const ATTRIBUTE = { float: 1, integer: 2, integers: 7 } as const;

export type Attributes = Readonly<Record<string, number | readonly number[] | { readonly float: number }>>;

/** One operator; `name` is that of its first output. */
export function node(
  op: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Attributes = {},
): Message {
  return [
    ...inputs.flatMap((name) => text(1, name)),
    ...outputs.flatMap((name) => text(2, name)),
    ...text(3, outputs[0] ?? ""),
    ...text(4, op),
    ...Object.entries(attributes).flatMap(([name, value]) => embedded(5, attribute(name, value))),
  ];
}

function attribute(name: string, value: Attributes[string]): Message {
  if (typeof value === "number") return [...text(1, name), ...integer(3, value), ...integer(20, ATTRIBUTE.integer)];
  if ("float" in value) return [...text(1, name), ...float(2, value.float), ...integer(20, ATTRIBUTE.float)];
  return [...text(1, name), ...value.flatMap((item) => integer(8, item)), ...integer(20, ATTRIBUTE.integers)];
}

/** A float32 constant, its data little-endian and row-major. */
export function floatTensor(name: string, dims: readonly number[], data: Payload | Uint8Array): Message {
  const bytes = byteLength([data]);
  const expected = dims.reduce((product, size) => product * size, 4);
  if (bytes !== expected) throw new RangeError(`${name}: expected ${expected} bytes of floats, got ${bytes}`);
  return [...integers(1, dims), ...integer(2, FLOAT), ...text(8, name), ...embedded(9, [data])];
}

/** An int8 constant, row-major. */
export function byteTensor(name: string, dims: readonly number[], data: Payload | Uint8Array): Message {
  const bytes = byteLength([data]);
  const expected = dims.reduce((product, size) => product * size, 1);
  if (bytes !== expected) throw new RangeError(`${name}: expected ${expected} bytes, got ${bytes}`);
  return [...integers(1, dims), ...integer(2, INT8), ...text(8, name), ...embedded(9, [data])];
}

/** An int64 constant, a vector unless said otherwise: the shape that a Reshape takes. */
export function integerTensor(
  name: string,
  values: readonly number[],
  dims: readonly number[] = [values.length],
): Message {
  const data = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
  return [...integers(1, dims), ...integer(2, INT64), ...text(8, name), ...embedded(9, [data])];
}

/** An input or output of the graph; a dimension that has a name may have any size. */
export function value(name: string, dims: readonly (number | string)[], elementType = FLOAT): Message {
  const shape = dims.flatMap((size) => embedded(1, typeof size === "number" ? integer(1, size) : text(2, size)));
  const type = embedded(1, [...integer(1, elementType), ...embedded(2, shape)]);
  return [...text(1, name), ...embedded(2, type)];
}

export interface Graph {
  readonly name: string;
  readonly nodes: readonly Message[];
  readonly constants: readonly Message[];
  readonly inputs: readonly Message[];
  readonly outputs: readonly Message[];
}

/** ModelProto. */
export function model(graph: Graph): Message {
  const fields = [
    ...graph.nodes.flatMap((message) => embedded(1, message)),
    ...text(2, graph.name),
    ...graph.constants.flatMap((message) => embedded(5, message)),
    ...graph.inputs.flatMap((message) => embedded(11, message)),
    ...graph.outputs.flatMap((message) => embedded(12, message)),
  ];
  return [
    ...integer(1, IR_VERSION),
    ...text(2, "janus-wasm bench"),
    ...embedded(7, fields),
    ...embedded(8, [...text(1, ""), ...integer(2, OPSET)]),
  ];
}
