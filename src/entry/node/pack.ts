/** Writes a checkpoint in packed form (`models/FORMAT.md`) as a complete directory. */
import { createHash } from "node:crypto";
import { CONFIG_FILES } from "../../weights/config-files.js";
import type { PackedTensor, Packing } from "../../weights/packed.js";
import { packedMetadata, storedShape } from "../../weights/packed.js";
import { encodeSafetensorsHeader } from "../../weights/safetensors.js";
import { readInto } from "../../weights/source.js";
import type { ModelInput } from "../host.js";
import type { OpenModel } from "../load.js";
import { openModel } from "../load.js";
import type { DTypeOption } from "../options.js";
import type { PackedGroup } from "../packer.js";
import { Packer } from "../packer.js";
import { TOKENIZER_FILES } from "../prepare.js";
import { compactFiles } from "./compact-file.js";
import { nodeHost } from "./host.js";
import { type OutputFile, refuseExistingDirectory, writeDirectoryAtomically } from "./output-directory.js";
import { companionFiles, cutShards, indexFiles } from "./shard-files.js";

export interface PackOptions {
  /** The checkpoint's own precision, f32, or the blocks in 8 bits. */
  readonly dtype?: DTypeOption | undefined;
  /** Every file of weights stays below this many bytes; one file otherwise. */
  readonly shardSize?: number | undefined;
  readonly threads?: number | undefined;
  readonly force?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Bytes read and written so far, and in all. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** What was written. */
export interface PackResult {
  readonly dtype: string;
  /** Every file and its bytes. */
  readonly files: readonly { readonly name: string; readonly bytes: number }[];
}

/** Small files that are taken along as they are. */
const COMPANIONS = [...CONFIG_FILES, ...TOKENIZER_FILES];

/** Bytes of a weight file that are hashed at a time. */
const PIECE = 4 << 20;

/** Stands in for a digest until it is known: a header is as long with one as with the other. */
const NO_DIGEST = "0".repeat(64);

/** A file of weights: its groups, and the digests of the tensors that were written. */
interface Shard {
  readonly name: string;
  readonly groups: readonly PackedGroup[];
  readonly tensors: readonly PackedTensor[];
  readonly digests: string[];
}

/**
 * Packs `model` into the directory `output`: the same bytes on every engine and with any number of threads.
 *
 * @throws JanusError E_USAGE and E_IO of origin "output" (as `writeDirectoryAtomically`), E_USAGE for a shard size that a block does not fit in; whatever opening and
 * loading the model throws; the signal's reason. The directory is complete or as it was.
 */
export async function pack(model: ModelInput, output: string, options: PackOptions = {}): Promise<PackResult> {
  const { dtype = "auto", shardSize, force = false, signal, onProgress } = options;
  const host = nodeHost();
  const source = await host.openModel(model, signal);
  let packer: Packer | undefined;
  try {
    const opened = await openModel(source, signal);
    packer = await Packer.start(host, opened, { dtype, threads: options.threads ?? host.availableThreads() });
    const names = opened.checkpoint.layout;
    const sizes = await Promise.all(opened.checkpoint.files.map((file) => source.size(file, signal)));
    const placeholder = new Map(opened.checkpoint.files.map((file) => [file, NO_DIGEST]));
    const shards = cutGroups(packer.groups, shardSize, { dtype: packer.dtype, names, source: placeholder });
    const packed = packer.groups.reduce((sum, { bytes }) => sum + bytes, 0);
    const total = packed + sizes.reduce<number>((a, b) => a + (b ?? 0), 0);
    let done = 0;
    const onBytes = (bytes: number): void => {
      done += bytes;
      onProgress?.(done, total);
    };
    const named = shards.map(({ name, tensors }) => ({ name, tensors: tensors.map((tensor) => tensor.name) }));
    const companions = await companionFiles(source, COMPANIONS, signal);
    const small = [...companions, ...(await compactFiles(source, signal)), ...indexFiles(named, packed)];
    await refuseExistingDirectory(
      output,
      force,
      [...small, ...shards].map((file) => file.name),
    );
    // Of the files as they are: what a hub lists of them.
    const digests = await digestFiles(opened, onBytes, signal);
    const packing: Packing = { dtype: packer.dtype, names, source: digests };
    const files = [...small, ...shards.map((shard) => shardFile(packer!, shard, packing, onBytes, signal))];
    const expectedBytes = shards.reduce((bytes, { groups }) => bytes + bytesOf(groups, packing), 0);
    const written = await writeDirectoryAtomically(output, files, { force, signal, expectedBytes });
    return { dtype: packer.dtype, files: written };
  } finally {
    await packer?.dispose();
    await source.close();
    await host.dispose();
  }
}

/** Whole groups in every file. */
function cutGroups(groups: readonly PackedGroup[], limit: number | undefined, packing: Packing): Shard[] {
  const sizes = { limit, bytesOf: (groups: readonly PackedGroup[]) => bytesOf(groups, packing), operation: "pack" };
  return cutShards(groups, sizes).map(({ name, items }) => ({
    name,
    groups: items,
    tensors: tensorsOf(items),
    digests: [],
  }));
}

function tensorsOf(groups: readonly PackedGroup[]): PackedTensor[] {
  return groups.flatMap(({ tensors }) => tensors);
}

function bytesOf(groups: readonly PackedGroup[], packing: Packing): number {
  const header = headerOf(tensorsOf(groups), packing).byteLength;
  return groups.reduce((bytes, group) => bytes + group.bytes, header);
}

function headerOf(
  tensors: readonly PackedTensor[],
  packing: Packing,
  digests: readonly string[] = tensors.map(() => NO_DIGEST),
): Uint8Array {
  const layouts = tensors.map(({ name, dtype, layout, shape }) => ({
    name,
    dtype,
    shape: storedShape(layout, shape)!,
  }));
  return encodeSafetensorsHeader(layouts, packedMetadata(packing, tensors, digests));
}

/** The header comes first and says what is only known last: it is written again when the tensors are there. */
function shardFile(
  packer: Packer,
  shard: Shard,
  packing: Packing,
  onBytes: (bytes: number) => void,
  signal: AbortSignal | undefined,
): OutputFile {
  const { name, groups, tensors, digests } = shard;
  async function* chunks(): AsyncGenerator<Uint8Array> {
    yield headerOf(tensors, packing);
    for (const group of groups) {
      for await (const bytes of packer.read(group, signal)) {
        digests.push(createHash("sha256").update(bytes).digest("hex"));
        yield bytes;
        onBytes(bytes.byteLength);
      }
    }
  }
  return { name, chunks: chunks(), head: () => headerOf(tensors, packing, digests) };
}

async function digestFiles(
  { checkpoint, source }: OpenModel,
  onBytes: (bytes: number) => void,
  signal: AbortSignal | undefined,
): Promise<Map<string, string>> {
  const digests = new Map<string, string>();
  const room = new Uint8Array(PIECE);
  for (const file of checkpoint.files) {
    const size = (await source.size(file, signal)) ?? 0;
    const known = await source.sha256?.(file, signal);
    if (known !== undefined) {
      // Of a hub's file most is never fetched.
      digests.set(file, known);
      onBytes(size);
      continue;
    }
    const hash = createHash("sha256");
    for (let at = 0; at < size; at += PIECE) {
      const piece = room.subarray(0, Math.min(PIECE, size - at));
      await readInto(source, file, at, piece, signal);
      hash.update(piece);
      onBytes(piece.byteLength);
    }
    digests.set(file, hash.digest("hex"));
  }
  return digests;
}
