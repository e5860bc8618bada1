import { dirname, isAbsolute, join } from "node:path";
import { JanusError, quote } from "../../errors.js";
import type { Tensor, TensorType } from "../../tensor.js";
import { elements } from "../../tensor.js";
import type { ModelInputs } from "../janus.js";
import type { EmbedRequest } from "../prepare.js";
import { withSafetensors } from "./safetensors-file.js";
import { readTextFile, textLines } from "./text-file.js";

/** Requests of one batch: beyond this a batch is a mistake, and its padded tensors would not fit. */
const MAX_REQUESTS = 1024;

type Messages = Extract<EmbedRequest, { conversation: unknown }>["conversation"];

/** The list of messages in a JSON file; image paths in it are relative to the file. */
export async function readConversation(path: string, signal: AbortSignal): Promise<Messages> {
  const messages = parseJson(await readTextFile(path, signal), path);
  if (!Array.isArray(messages))
    throw new JanusError("E_PROMPT", `${path}: expected a JSON list of messages, got ${quote(messages)}`);
  return messages.map((message: unknown) => resolveImages(message, path)) as unknown as Messages;
}

/** One JSON request a line, blank lines left out. `images` of the command line are refused beside images in the file. */
export async function readRequests(
  path: string,
  images: readonly string[],
  system: { readonly system?: string },
  signal: AbortSignal,
): Promise<EmbedRequest[]> {
  const requests: EmbedRequest[] = [];
  let line = 0;
  for await (const text of textLines(path, signal)) {
    line++;
    if (text.trim() === "") continue;
    if (requests.length === MAX_REQUESTS) {
      throw new JanusError("E_PROMPT", `${path}: a batch holds at most ${MAX_REQUESTS} requests; split the file`);
    }
    const where = `${path} line ${line}`;
    const request = parseJson(text, where);
    if (request === null || typeof request !== "object" || Array.isArray(request)) {
      throw new JanusError("E_PROMPT", `${where}: expected a JSON object, got ${quote(request)}`);
    }
    const own = resolveConversation(resolveImages(request, path), path) as Record<string, unknown>;
    const takesSystem = !("prompt" in own) && !("system" in own);
    requests.push({ ...own, ...(takesSystem && system) } as unknown as EmbedRequest);
  }
  if (requests.length === 0)
    throw new JanusError("E_PROMPT", `${path}: expected one JSON request a line, got an empty file`);
  if (images.length > 0) {
    throw new JanusError("E_PROMPT", `${path}: requests name their own images; leave --image out`);
  }
  return requests;
}

/** The tensors of a Python processor, saved as safetensors. attention_mask is the file's, else ones; others are ignored. */
export function readInputs(
  path: string,
  signal: AbortSignal,
): Promise<ModelInputs & { attentionMask: Tensor<"int64"> }> {
  return withSafetensors(path, signal, async ({ tensors, readTensor }) => {
    const take = async <T extends TensorType>(name: string, type: T): Promise<Tensor<T> | undefined> => {
      const entry = tensors.get(name);
      if (!entry) return undefined;
      const read = await readTensor(entry);
      if (read.type !== type) {
        throw new JanusError("E_PROMPT", `${path}: ${name} must be ${type}, got ${entry.dtype}`);
      }
      return read as Tensor<T>;
    };
    const need = async <T extends TensorType>(name: string, type: T): Promise<Tensor<T>> => {
      const found = await take(name, type);
      if (found) return found;
      throw new JanusError(
        "E_PROMPT",
        `${path}: ${name} is missing; the reference's processor makes input_ids, pixel_values, images_seq_mask and images_emb_mask`,
      );
    };
    const inputIds = await need("input_ids", "int64");
    const ones = (): Tensor<"int64"> => ({
      type: "int64",
      dims: inputIds.dims,
      data: new BigInt64Array(elements(inputIds.dims)).fill(1n),
    });
    return {
      inputIds,
      pixelValues: await need("pixel_values", "float32"),
      imagesSeqMask: await need("images_seq_mask", "bool"),
      imagesEmbMask: await need("images_emb_mask", "bool"),
      attentionMask: (await take("attention_mask", "int64")) ?? ones(),
    };
  });
}

function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new JanusError("E_PROMPT", `${where}: not JSON: ${(error as Error).message}`);
  }
}

function resolveConversation(request: unknown, path: string): unknown {
  const { conversation } = request as { conversation?: unknown };
  if (!Array.isArray(conversation)) return request;
  return { ...(request as object), conversation: conversation.map((message: unknown) => resolveImages(message, path)) };
}

/** The same object with paths in `images` taken relative to the file they stand in. */
function resolveImages(value: unknown, path: string): unknown {
  const images = value !== null && typeof value === "object" ? (value as { images?: unknown }).images : undefined;
  if (!Array.isArray(images)) return value;
  const resolved = images.map((image: unknown) =>
    typeof image === "string" && !isAbsolute(image) && !/^(data|file|https?):/.test(image)
      ? join(dirname(path), image)
      : image,
  );
  return { ...(value as object), images: resolved };
}
