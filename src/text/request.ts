import { JanusError, quote } from "../errors.js";
import { BUILTIN_SYSTEM_PROMPT, DEFAULT_SFT_FORMAT, type Message, renderConversation } from "./conversation.js";

/** Upstream's `Conversation.roles`: the user's and the assistant's. */
export type Roles = readonly [user: string, assistant: string];

/**
 * What to embed: a question about images, a prompt taken verbatim, or a conversation. Images stand for the placeholders in order; those
 * of a conversation are given in its messages or, when no message has any, beside it. An empty `system` means no system prompt.
 */
export type PromptRequest<Image = unknown> =
  | { question: string; images?: readonly Image[]; system?: string; roles?: Roles }
  | { prompt: string; images?: readonly Image[] }
  | { conversation: readonly Message[]; images?: readonly Image[]; system?: string };

/** A request as the tokenizer and the image side take it. */
export interface PromptRow {
  prompt: string;
  images: readonly unknown[];
}

/** What a checkpoint says about prompts. */
export interface PromptSettings {
  /** `image_tag` in use: `SpecialTokens.imageTag`. */
  imageTag: string;
  /** Whether `<|User|>` and `<|Assistant|>` are tokens: `SpecialTokens.proRoles`. */
  proRoles: boolean;
  /** `sft_format` of processor_config.json; "deepseek" when absent. */
  sftFormat?: string | undefined;
  /** `system_prompt` of processor_config.json; the built-in one when absent. */
  systemPrompt?: string | undefined;
}

const PRO_ROLES: Roles = ["<|User|>", "<|Assistant|>"];
const OLD_ROLES: Roles = ["User", "Assistant"];

/** The kinds of request, each with the keys it may have. */
const KINDS = {
  question: ["question", "images", "system", "roles"],
  prompt: ["prompt", "images"],
  conversation: ["conversation", "images", "system"],
} as const;

/**
 * Requests as prompts with their images, one row each; none for none.
 *
 * @throws JanusError E_PROMPT naming the row and what is wrong, E_UNSUPPORTED for an unknown `sft_format`.
 */
export function renderRequests(requests: readonly unknown[], settings: PromptSettings): PromptRow[] {
  return requests.map((request, row) => renderRequest(request, row, settings));
}

function renderRequest(request: unknown, row: number, settings: PromptSettings): PromptRow {
  const where = `row ${row}`;
  const { kind, fields } = kindOf(request, where);
  const images = listOf(fields["images"], `${where}: images`);
  const system = optionalText(fields["system"], `${where}: system`) ?? settings.systemPrompt ?? BUILTIN_SYSTEM_PROMPT;
  const format = settings.sftFormat ?? DEFAULT_SFT_FORMAT;
  if (kind === "prompt") return { prompt: text(fields["prompt"], `${where}: prompt`), images };
  if (kind === "question") {
    const question = text(fields["question"], `${where}: question`);
    const [user, assistant] = rolesOf(fields["roles"], where) ?? (settings.proRoles ? PRO_ROLES : OLD_ROLES);
    const content = `${settings.imageTag}\n`.repeat(images.length) + question;
    const turns = [
      { role: user, content },
      { role: assistant, content: "" },
    ];
    return { prompt: renderConversation(turns, format, system), images };
  }
  const messages = messagesOf(fields["conversation"], where);
  const inMessages = messages.flatMap((message) => message.images ?? []);
  if (inMessages.length > 0 && images.length > 0) {
    throw refuse(
      `${where}: images must be in one place, got ${inMessages.length} in the messages and ${images.length} beside the conversation`,
    );
  }
  const prompt = renderConversation(messages, format, system);
  return { prompt, images: inMessages.length > 0 ? inMessages : images };
}

type Fields = Readonly<Record<string, unknown>>;

function kindOf(request: unknown, where: string): { kind: keyof typeof KINDS; fields: Fields } {
  const fields = fieldsOf(request, `${where}: a request`);
  const kinds = (Object.keys(KINDS) as (keyof typeof KINDS)[]).filter((kind) => fields[kind] !== undefined);
  const [kind] = kinds;
  if (kind === undefined || kinds.length > 1) {
    const got = kinds.length > 1 ? kinds.join(" and ") : quote(Object.keys(fields));
    throw refuse(`${where}: a request has exactly one of question, prompt, conversation, got ${got}`);
  }
  refuseUnknownKeys(fields, KINDS[kind], `${where}: a request with a ${kind}`);
  return { kind, fields };
}

function messagesOf(value: unknown, where: string): Message[] {
  return listOf(value, `${where}: conversation`).map((entry, turn) => {
    const message = `${where}: message ${turn}`;
    const fields = fieldsOf(entry, message);
    refuseUnknownKeys(fields, ["role", "content", "images"], message);
    return {
      role: text(fields["role"], `${message}: role`),
      content: text(fields["content"], `${message}: content`),
      images: listOf(fields["images"], `${message}: images`),
    };
  });
}

function rolesOf(value: unknown, where: string): Roles | undefined {
  if (value === undefined) return undefined;
  const [user, assistant, ...more]: readonly unknown[] = Array.isArray(value) ? value : [];
  if (typeof user !== "string" || typeof assistant !== "string" || more.length > 0) {
    throw refuse(`${where}: roles must be the two strings [user, assistant], got ${shown(value)}`);
  }
  return [user, assistant];
}

function fieldsOf(value: unknown, what: string): Fields {
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    throw refuse(`${what} must be an object, got ${shown(value)}`);
  }
  return value as Fields;
}

function refuseUnknownKeys(fields: Fields, known: readonly string[], what: string): void {
  for (const key of Object.keys(fields)) {
    if (fields[key] !== undefined && !known.includes(key))
      throw refuse(`${what} has no key ${quote(key)}; it may have ${known.join(", ")}`);
  }
}

/** Absent is empty: a prompt without images is a prompt of text. */
function listOf(value: unknown, what: string): readonly unknown[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw refuse(`${what} must be a list, got ${shown(value)}`);
  return value;
}

function text(value: unknown, what: string): string {
  if (typeof value !== "string") throw refuse(`${what} must be a string, got ${shown(value)}`);
  return value;
}

function optionalText(value: unknown, what: string): string | undefined {
  return value === undefined ? undefined : text(value, what);
}

/** Objects by their kind alone: what is given for a list by mistake is often the bytes of an image. */
function shown(value: unknown): string {
  return typeof value === "object" && value !== null ? Object.prototype.toString.call(value) : quote(value);
}

function refuse(message: string): JanusError {
  return new JanusError("E_PROMPT", message);
}
