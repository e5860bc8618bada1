import { quote } from "../errors.js";
import { shapeText } from "../tensor.js";
import { checkedElements, dtypeBytes } from "./dtype.js";
import { malformed, unreadable } from "./refusals.js";
import type { WeightSource } from "./source.js";
import { isRecord, type PickleDict, type TorchTensor } from "./state-dict.js";
import { unpickle } from "./unpickle.js";
import type { FileView } from "./view.js";
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

/** What a file should hold instead, for messages. */
interface Advice {
  readonly dict: string;
  readonly alone: string;
}

const STATE_DICT: Advice = {
  dict: "save model.state_dict() with torch.save",
  alone: "save the weights alone, as safetensors",
};
const INPUTS: Advice = { dict: "save dict(inputs) with torch.save", alone: "save dict(inputs) with torch.save" };

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
  const { dict, entry } = await readDict(source, path, STATE_DICT, signal);
  const tensors = new Map<string, TorchEntry>();
  for (const [name, tensor] of dict.entries) {
    if (!isRecord(tensor, "tensor"))
      throw malformed(
        path,
        `expected ${quote(name)} to be a tensor, found ${isRecord(tensor, "dict") ? "a dict" : "something else"}; save model.state_dict() alone`,
      );
    tensors.set(name, entry(name, tensor));
  }
  return tensors;
}

/**
 * The tensors of a dict that a processor filled, saved as `torch.save(dict(inputs), path)`. What is not a tensor is left out: Janus'
 * processor also returns its prompts, a list of strings. Otherwise as `parseTorch`.
 */
export async function parseTorchInputs(
  source: WeightSource,
  path: string,
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, TorchEntry>> {
  const { dict, entry } = await readDict(source, path, INPUTS, signal);
  const tensors = new Map<string, TorchEntry>();
  for (const [name, value] of dict.entries) if (isRecord(value, "tensor")) tensors.set(name, entry(name, value));
  return tensors;
}

/** Where a tensor lies in its file. */
export function torchView(
  source: WeightSource,
  path: string,
  { dtype, shape, strides, offset, storage }: TorchEntry,
): FileView {
  const itemBytes = dtypeBytes(dtype);
  let storageStart: number | undefined;
  // The local header is read, and checked, when the first byte of its storage is wanted: most storages never are.
  const start = async (signal?: AbortSignal): Promise<number> => {
    storageStart ??= await dataOffset(source, path, storage, signal);
    return storageStart + offset * itemBytes;
  };
  return { path, itemBytes, shape, strides, start };
}

async function readDict(
  source: WeightSource,
  path: string,
  advice: Advice,
  signal: AbortSignal | undefined,
): Promise<{ dict: PickleDict; entry: (name: string, tensor: TorchTensor) => TorchEntry }> {
  const size = await source.size(path, signal);
  if (size === undefined) throw unreadable(path, `expected a file in ${quote(source.label)}, found none`);
  const entries = await readZipDirectory(source, path, size, signal);
  const pickles = [...entries.keys()].filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  if (pickles.length !== 1)
    throw malformed(path, `expected one data.pkl in the archive, found ${pickles.length}; ${advice.dict}`);
  const root = pickles[0]!.slice(0, -"data.pkl".length);
  if (entries.has(`${root}constants.pkl`))
    throw malformed(path, `expected a dict of tensors, found a TorchScript archive; ${advice.dict}`);
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
  const pickle = await read("data.pkl", MAX_PICKLE_BYTES);
  const dict = unpickle(pickle, (reason) => malformed(path, reason), advice.alone);
  if (!isRecord(dict, "dict"))
    throw malformed(
      path,
      `expected a dict of tensors, found ${isRecord(dict, "tensor") ? "one tensor" : "something else"}; ${advice.dict}`,
    );
  const entry = (name: string, tensor: TorchTensor): TorchEntry =>
    view(name, tensor, entries.get(`${root}data/${tensor.storage.key}`), path);
  return { dict, entry };
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
