import { quote } from "../errors.js";
import { shapeText } from "../tensor.js";
import { checkedElements, dtypeBytes } from "./dtype.js";
import { malformed, unreadable } from "./refusals.js";
import type { WeightSource } from "./source.js";
import { isRecord, type TorchTensor } from "./state-dict.js";
import { unpickle } from "./unpickle.js";
import { dataOffset, readZipDirectory, type ZipEntry } from "./zip.js";

/** A tensor of a PyTorch checkpoint: a view of the storage that an archive entry holds; offset and strides count elements. */
export interface TorchEntry {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly offset: number;
  readonly storage: ZipEntry;
}

/** The pickle of a state dict takes about 60 bytes a tensor besides its name; Janus-Pro-7B needs 100 KB. */
const MAX_PICKLE_BYTES = 64 * 2 ** 20;

/**
 * Reads what a file of torch.save (zip format, 1.6 and later) says of its tensors: the directory and the pickle, no storage. The file
 * must hold one flat dict of names to tensors, as `torch.save(model.state_dict(), path)` writes it and transformers expects it.
 *
 * Throws E_FORMAT for anything else, E_IO for a missing file.
 */
export async function parseTorch(
  source: WeightSource,
  path: string,
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, TorchEntry>> {
  const size = await source.size(path, signal);
  if (size === undefined) throw unreadable(path, `expected a file in ${quote(source.label)}, found none`);
  const entries = await readZipDirectory(source, path, size, signal);
  const pickles = [...entries.keys()].filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  if (pickles.length !== 1)
    throw malformed(
      path,
      `expected one data.pkl in the archive, found ${pickles.length}; save the weights with torch.save`,
    );
  const root = pickles[0]!.slice(0, -"data.pkl".length);
  if (entries.has(`${root}constants.pkl`))
    throw malformed(
      path,
      "expected a state dict, found a TorchScript archive; save model.state_dict() with torch.save",
    );
  const read = (name: string, limit: number): Promise<Uint8Array> =>
    readEntry(source, path, entries.get(`${root}${name}`)!, limit, signal);
  if (entries.has(`${root}byteorder`)) {
    const order = new TextDecoder().decode(await read("byteorder", 16));
    if (order !== "little")
      throw malformed(
        path,
        `expected little-endian storages, found byteorder ${quote(order)}; save it on such a machine`,
      );
  }
  const value = unpickle(await read("data.pkl", MAX_PICKLE_BYTES), (reason) => malformed(path, reason));
  if (!isRecord(value, "dict"))
    throw malformed(path, "expected a dict of tensors, found something else; save model.state_dict() with torch.save");
  const tensors = new Map<string, TorchEntry>();
  for (const [name, tensor] of value.entries) {
    if (!isRecord(tensor, "tensor"))
      throw malformed(
        path,
        `expected ${quote(name)} to be a tensor, found ${isRecord(tensor, "dict") ? "a dict" : "something else"}; save model.state_dict() alone`,
      );
    tensors.set(name, view(name, tensor, entries.get(`${root}data/${tensor.storage.key}`), path));
  }
  return tensors;
}

async function readEntry(
  source: WeightSource,
  path: string,
  entry: ZipEntry,
  limit: number,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  if (entry.size > limit)
    throw malformed(path, `expected at most ${limit} bytes of ${quote(entry.name)}, found ${entry.size}`);
  return source.read(path, await dataOffset(source, path, entry, signal), entry.size, signal);
}

/** A storage must fill its entry exactly (torch.save writes it so), and a view must stay inside its storage. */
function view(name: string, tensor: TorchTensor, storage: ZipEntry | undefined, path: string): TorchEntry {
  const { dtype, elements, key } = tensor.storage;
  const { offset, shape, strides } = tensor;
  if (storage === undefined)
    throw malformed(path, `expected storage ${quote(key)} of tensor ${quote(name)} in the archive, found none`);
  if (elements * dtypeBytes(dtype) !== storage.size)
    throw malformed(
      path,
      `expected ${elements} elements of ${dtype} in storage ${quote(key)} of tensor ${quote(name)}, found ${storage.size} bytes`,
    );
  const count = checkedElements(shape);
  const last = shape.reduce((sum, dimension, i) => sum + (dimension - 1) * strides[i]!, offset);
  if (count === undefined || (count === 0 ? offset > elements : !(last < elements)))
    throw malformed(
      path,
      `expected tensor ${quote(name)} inside the ${elements} elements of its storage, found ${shapeText(shape)} with strides ${shapeText(strides)} from ${offset}`,
    );
  return { name, dtype, shape, strides, offset, storage };
}
