import { dirname, isAbsolute, join } from "node:path";
import { JanusError, quote } from "../../errors.js";
import { elements, shapeText, type Tensor, type TensorType } from "../../tensor.js";
import type { ModelInputs } from "../janus.js";
import type { EmbedRequest } from "../prepare.js";
import { withProcessorTensors } from "./processor-file.js";
import { readTextFile, textLines } from "./text-file.js";

/** Requests of one batch: beyond this a batch is a mistake, and its padded tensors would not fit. */
const MAX_REQUESTS = 1024;

/** Bytes of one tensor of recorded inputs: the pixels of 1200 images at 384 px, and below what an ArrayBuffer can hold anywhere. */
const MAX_TENSOR_BYTES = 2 ** 31;

type Messages = Extract<EmbedRequest, { conversation: unknown }>["conversation"];

/**
 * The list of messages in a JSON file; image paths in it are relative to the file. What a message may hold is checked where it is rendered.
 *
 * @throws JanusError as `readTextFile`; E_PROMPT when it is not a JSON list.
 */
export async function readConversation(path: string, signal: AbortSignal): Promise<Messages> {
  const where = quote(path, 200);
  const messages = parseJson(await readTextFile(path, signal), where);
  if (!Array.isArray(messages)) {
    throw new JanusError("E_PROMPT", `${where}: expected a JSON list of messages, got ${kindOf(messages)}`);
  }
  return messages.map((message: unknown, turn) => resolveImages(message, path, `${where} message ${turn}`)) as Messages;
}

/**
 * One JSON request a line, blank lines left out; image paths are relative to the file. `images` of the command line are refused: they
 * belong to no line. `system` is for the requests that render a conversation and have none of their own.
 *
 * @throws JanusError as `textLines`; E_PROMPT naming the line.
 */
export async function readRequests(
  path: string,
  images: readonly string[],
  system: { readonly system?: string },
  signal: AbortSignal,
): Promise<EmbedRequest[]> {
  const file = quote(path, 200);
  if (images.length > 0) throw new JanusError("E_PROMPT", `${file}: requests name their own images; leave --image out`);
  const requests: EmbedRequest[] = [];
  let line = 0;
  for await (const text of textLines(path, signal)) {
    line++;
    if (text.trim() === "") continue;
    if (requests.length === MAX_REQUESTS) {
      throw new JanusError(
        "E_PROMPT",
        `${file} line ${line}: expected at most ${MAX_REQUESTS} requests in a batch, got more; split the file`,
      );
    }
    requests.push(requestOf(text, path, `${file} line ${line}`, system));
  }
  if (requests.length === 0) {
    throw new JanusError("E_PROMPT", `${file}: expected one JSON request a line, got an empty file`);
  }
  return requests;
}

function requestOf(text: string, path: string, where: string, system: { readonly system?: string }): EmbedRequest {
  const parsed = parseJson(text, where);
  if (parsed === null || typeof parsed !== "object" || Array.isArray(parsed)) {
    throw new JanusError("E_PROMPT", `${where}: expected a JSON object, got ${kindOf(parsed)}`);
  }
  const request = resolveImages(parsed, path, where) as Record<string, unknown>;
  const { conversation } = request;
  if (Array.isArray(conversation)) {
    request["conversation"] = conversation.map((message: unknown, turn) =>
      resolveImages(message, path, `${where} message ${turn}`),
    );
  }
  const rendered = !("prompt" in request) && !("system" in request);
  return { ...request, ...(rendered && system) } as unknown as EmbedRequest;
}

/**
 * The tensors of a Python processor, saved as safetensors or as a dict with torch.save. attention_mask is the file's, else ones; others
 * are ignored.
 *
 * @throws JanusError E_PROMPT when one is missing, too large or of another type; E_SHAPE of origin "input" when they do not belong to one
 * batch; as `withProcessorTensors`.
 */
export function readInputs(
  path: string,
  signal: AbortSignal,
): Promise<ModelInputs & { attentionMask: Tensor<"int64"> }> {
  const file = quote(path, 200);
  return withProcessorTensors(path, signal, async (tensors) => {
    const take = async <T extends TensorType>(name: string, type: T): Promise<Tensor<T> | undefined> => {
      const entry = tensors.get(name);
      if (!entry) return undefined;
      if (!(entry.bytes <= MAX_TENSOR_BYTES)) {
        const bytes = `at most ${MAX_TENSOR_BYTES} bytes, got ${entry.bytes}`;
        throw new JanusError("E_PROMPT", `${file}: ${name} must have ${bytes}; split the batch`);
      }
      const read = await entry.read().catch((cause: unknown) => {
        // A mask of other values than 0 and 1 is a mistake of the request, not of the file around it.
        const mask = type === "bool" && cause instanceof JanusError && cause.code === "E_FORMAT";
        throw mask ? new JanusError("E_PROMPT", cause.message, { cause }) : cause;
      });
      if (read.type !== type) {
        throw new JanusError(
          "E_PROMPT",
          `${file}: ${name} must be ${type}, got ${entry.dtype}; save it as the processor made it`,
        );
      }
      return read as Tensor<T>;
    };
    const need = async <T extends TensorType>(name: string, type: T): Promise<Tensor<T>> => {
      const found = await take(name, type);
      if (found) return found;
      throw new JanusError(
        "E_PROMPT",
        `${file}: ${name} is missing; the reference's processor makes input_ids, pixel_values, images_seq_mask and images_emb_mask`,
      );
    };
    const inputIds = await need("input_ids", "int64");
    const inputs = {
      inputIds,
      imagesSeqMask: await need("images_seq_mask", "bool"),
      imagesEmbMask: await need("images_emb_mask", "bool"),
      attentionMask: (await take("attention_mask", "int64")) ?? ones(inputIds.dims),
      pixelValues: await need("pixel_values", "float32"),
    };
    checkBatch(inputs, file);
    return inputs;
  });
}

/** Shapes that the file alone can answer for; P and S are the model's. */
function checkBatch(inputs: ModelInputs & { attentionMask: Tensor<"int64"> }, file: string): void {
  const check = (name: string, { dims }: Tensor, expected: readonly (number | string)[]): void => {
    const fits = expected.every((size, axis) => typeof size === "string" || size === dims[axis]);
    if (dims.length === expected.length && fits) return;
    throw new JanusError(
      "E_SHAPE",
      `${file}: ${name} must be [${expected.join(", ")}], got ${shapeText(dims)}; save one batch as the processor made it`,
      { origin: "input" },
    );
  };
  check("input_ids", inputs.inputIds, ["B", "T"]);
  const [batch = 0, length = 0] = inputs.inputIds.dims;
  check("attention_mask", inputs.attentionMask, [batch, length]);
  check("images_seq_mask", inputs.imagesSeqMask, [batch, length]);
  check("images_emb_mask", inputs.imagesEmbMask, [batch, "N", "P"]);
  const [, images = 0] = inputs.imagesEmbMask.dims;
  check("pixel_values", inputs.pixelValues, [batch, images, 3, "S", "S"]);
}

function ones(dims: readonly number[]): Tensor<"int64"> {
  return { type: "int64", dims: [...dims], data: new BigInt64Array(elements(dims)).fill(1n) };
}

function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new JanusError("E_PROMPT", `${where}: expected JSON, got ${quote((cause as Error).message, 200)}; mend it`, {
      cause,
    });
  }
}

/** The same object with paths in `images` taken relative to the file they stand in. In JSON a picture has nothing but a path or URL. */
function resolveImages(value: unknown, path: string, where: string): unknown {
  const images = value !== null && typeof value === "object" ? (value as { images?: unknown }).images : undefined;
  if (!Array.isArray(images)) return value;
  const resolved = images.map((image: unknown, at) => {
    if (typeof image !== "string" || image === "") {
      throw new JanusError("E_PROMPT", `${where}: image ${at} must be a path, got ${kindOf(image)}; name a file`);
    }
    return isAbsolute(image) || /^(data|file|https?):/i.test(image) ? image : join(dirname(path), image);
  });
  return { ...(value as object), images: resolved };
}

/** A value of JSON by its kind: what stands for it may be long, and nested deeper than it could be printed. */
function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "an object";
  return quote(value);
}
