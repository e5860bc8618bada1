/** A run of elements in an entry of a PyTorch archive. */
export interface TorchStorage {
  readonly kind: "storage";
  readonly key: string;
  readonly dtype: string;
  readonly elements: number;
}

/** A view of a storage; offset and strides count elements. */
export interface TorchTensor {
  readonly kind: "tensor";
  readonly storage: TorchStorage;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

export interface PickleTuple {
  readonly kind: "tuple";
  readonly items: readonly PickleValue[];
}

export interface PickleList {
  readonly kind: "list";
  readonly items: PickleValue[];
}

export interface PickleDict {
  readonly kind: "dict";
  /** An OrderedDict, which may carry attributes. */
  readonly ordered: boolean;
  readonly entries: Map<string, PickleValue>;
}

/** One of the few things a pickle may name; nothing stands behind it but this record. */
export interface PickleGlobal {
  readonly kind: "global";
  readonly means: "rebuild tensor" | "ordered dict" | "storage";
  /** Of a storage type. */
  readonly dtype: string;
}

export type PickleRecord = TorchStorage | TorchTensor | PickleTuple | PickleList | PickleDict | PickleGlobal;
export type PickleValue = null | boolean | number | string | PickleRecord;

/**
 * Every global that a state dict of tensors needs, by exact module and name; the checkpoints of Janus use three of them. Nothing is
 * looked up or called by name: what is not here is an error, and there is no second, laxer way.
 */
export const GLOBALS: ReadonlyMap<string, PickleGlobal> = new Map([
  ["torch._utils _rebuild_tensor_v2", { kind: "global", means: "rebuild tensor", dtype: "" }],
  ["collections OrderedDict", { kind: "global", means: "ordered dict", dtype: "" }],
  ["torch BFloat16Storage", { kind: "global", means: "storage", dtype: "BF16" }],
  ["torch HalfStorage", { kind: "global", means: "storage", dtype: "F16" }],
  ["torch FloatStorage", { kind: "global", means: "storage", dtype: "F32" }],
  ["torch DoubleStorage", { kind: "global", means: "storage", dtype: "F64" }],
  ["torch LongStorage", { kind: "global", means: "storage", dtype: "I64" }],
  ["torch IntStorage", { kind: "global", means: "storage", dtype: "I32" }],
  ["torch ShortStorage", { kind: "global", means: "storage", dtype: "I16" }],
  ["torch CharStorage", { kind: "global", means: "storage", dtype: "I8" }],
  ["torch ByteStorage", { kind: "global", means: "storage", dtype: "U8" }],
  ["torch BoolStorage", { kind: "global", means: "storage", dtype: "BOOL" }],
]);

/** The bound of PyTorch; keeps a shape printable. */
const MAX_RANK = 64;

export function isRecord<K extends PickleRecord["kind"]>(
  value: PickleValue | undefined,
  kind: K,
): value is Extract<PickleRecord, { readonly kind: K }> {
  return typeof value === "object" && value !== null && value.kind === kind;
}

/** ("storage", storage type, key, location, number of elements), as torch.save's persistent_id writes it; undefined for anything else. */
export function storageOf(id: PickleValue): TorchStorage | undefined {
  if (!isRecord(id, "tuple") || id.items.length !== 5) return undefined;
  const [tag, type, key, location, elements] = id.items;
  if (tag !== "storage" || !isRecord(type, "global") || type.means !== "storage") return undefined;
  if (typeof key !== "string" || typeof location !== "string" || !isCount(elements)) return undefined;
  return { kind: "storage", key, dtype: type.dtype, elements };
}

/** _rebuild_tensor_v2(storage, storage_offset, size, stride, requires_grad, backward_hooks); undefined for other arguments. */
export function tensorOf(args: readonly PickleValue[]): TorchTensor | undefined {
  const [storage, offset, size, stride, requiresGrad, hooks] = args;
  if (args.length !== 6 || !isRecord(storage, "storage") || !isCount(offset)) return undefined;
  const shape = counts(size);
  const strides = counts(stride);
  if (shape === undefined || strides?.length !== shape.length || shape.length > MAX_RANK) return undefined;
  if (typeof requiresGrad !== "boolean" || !isRecord(hooks, "dict")) return undefined;
  return { kind: "tensor", storage, offset, shape, strides };
}

function counts(value: PickleValue | undefined): readonly number[] | undefined {
  return isRecord(value, "tuple") && value.items.every(isCount) ? value.items : undefined;
}

/** The unpickler makes no number but safe integers. */
function isCount(value: PickleValue | undefined): value is number {
  return typeof value === "number" && value >= 0;
}
