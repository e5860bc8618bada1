import { encodeZip, type ZipMember } from "./encode-zip.js";
import type { EncodedFile } from "./encoded-file.js";
import { type FloatDtype, type FloatMatrix, floatBytes, floatChunks } from "./float-chunks.js";

const STORAGE: Readonly<Record<FloatDtype, string>> = { fp32: "FloatStorage", bf16: "BFloat16Storage" };
/** The folder inside the archive: any name does, and this is PyTorch's own for a file without one. */
const ROOT = "archive";

/**
 * A matrix as the bytes of a file of `torch.save(tensor)` (zip format, protocol 2): `torch.load(weights_only=True)` gives a dense tensor of
 * the same dims on the CPU, which is what vLLM's `prompt_embeds` are.
 *
 * @throws JanusError E_UNSUPPORTED of origin "output" for 4 GB and more.
 */
export function encodeTorch({ dims, parts }: FloatMatrix, dtype: FloatDtype): EncodedFile {
  const data: ZipMember = {
    name: `${ROOT}/data/0`,
    byteLength: dims[0] * dims[1] * floatBytes(dtype),
    chunks: () => floatChunks(parts, dtype),
  };
  return encodeZip([
    whole("data.pkl", tensorPickle(dims, STORAGE[dtype])),
    whole("byteorder", ascii("little")),
    data,
    // Of the archive's layout, since PyTorch 1.6.
    whole("version", ascii("3\n")),
  ]);
}

function whole(name: string, bytes: Uint8Array<ArrayBuffer>): ZipMember {
  return { name: `${ROOT}/${name}`, byteLength: bytes.length, chunks: () => [bytes] };
}

/**
 * `_rebuild_tensor_v2(storage, 0, dims, strides, False, OrderedDict())`, byte for byte as PyTorch pickles a dense matrix; BINPUT remembers
 * every value, as Python's pickler does, though none is asked for again.
 */
function tensorPickle([rows, columns]: FloatMatrix["dims"], storage: string): Uint8Array<ArrayBuffer> {
  let remembered = 0;
  const put = (): number[] => [0x71 /* BINPUT */, remembered++];
  const global = (module: string, name: string): number[] => [
    0x63 /* GLOBAL */,
    ...ascii(`${module}\n${name}\n`),
    ...put(),
  ];
  const text = (value: string): number[] => [0x58 /* BINUNICODE */, value.length, 0, 0, 0, ...ascii(value), ...put()];
  return Uint8Array.from([
    ...[0x80 /* PROTO */, 2],
    ...global("torch._utils", "_rebuild_tensor_v2"),
    ...[0x28 /* MARK */, 0x28],
    ...text("storage"),
    ...global("torch", storage),
    ...text("0"),
    ...text("cpu"),
    ...integer(rows * columns),
    ...[0x74 /* TUPLE */, ...put(), 0x51 /* BINPERSID */],
    ...integer(0),
    ...[...integer(rows), ...integer(columns), 0x86 /* TUPLE2 */, ...put()],
    ...[...integer(columns), ...integer(1), 0x86, ...put()],
    0x89 /* NEWFALSE */,
    ...global("collections", "OrderedDict"),
    ...[0x29 /* EMPTY_TUPLE */, 0x52 /* REDUCE */, ...put()],
    ...[0x74, ...put(), 0x52, ...put()],
    0x2e /* STOP */,
  ]);
}

/** The shortest opcode, as Python's pickler takes: an archive below 4 GB has no number beyond 31 bits. */
function integer(value: number): number[] {
  if (value < 2 ** 8) return [0x4b /* BININT1 */, value];
  if (value < 2 ** 16) return [0x4d /* BININT2 */, value & 0xff, value >> 8];
  return [0x4a /* BININT */, value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, value >>> 24];
}

function ascii(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}
