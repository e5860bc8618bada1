import { JanusError, quote } from "../errors.js";

/** One turn, as upstream's conversations have it; `images` stand for its placeholders, in order. */
export interface Message {
  role: string;
  content: string;
  images?: readonly unknown[];
}

/**
 * `VLChatProcessor.system_prompt`, used where neither the request nor `system_prompt` of processor_config.json says otherwise.
 *
 * Upstream: janus/models/processing_vlm.py.
 */
export const BUILTIN_SYSTEM_PROMPT =
  "You are a helpful language and vision assistant. " +
  "You are able to understand the visual content that the user provides, " +
  "and assist the user with a variety of tasks using natural language.";

/** `sep` and `sep2` of a template of janus/utils/conversation.py, and whether it writes roles and the system prompt. */
interface Template {
  readonly separators: readonly [even: string, odd: string];
  readonly bare: boolean;
}

/** The two DeepSeek templates differ only in their default roles; roles come from the messages, so they render alike. */
const DEEPSEEK: Template = { separators: ["\n\n", "<｜end▁of▁sentence｜>"], bare: false };
const TEMPLATES: ReadonlyMap<string, Template> = new Map([
  ["deepseek", DEEPSEEK],
  ["deepseek_old", DEEPSEEK],
  ["plain", { separators: ["", ""], bare: true }],
]);

/** `sft_format` when processor_config.json has none. */
export const DEFAULT_SFT_FORMAT = "deepseek";

/**
 * The prompt of a conversation: `VLChatProcessor.apply_sft_template_for_multi_turn_prompts`. An empty `systemPrompt` means none; after
 * an empty message there is no separator; only contents and the whole are stripped, the system prompt is not.
 *
 * @throws JanusError E_UNSUPPORTED for an `sftFormat` that is not one of upstream's deepseek, deepseek_old and plain.
 */
export function renderConversation(messages: readonly Message[], sftFormat: string, systemPrompt: string): string {
  const template = TEMPLATES.get(sftFormat);
  if (template === undefined) {
    throw new JanusError(
      "E_UNSUPPORTED",
      `processor_config.json: sft_format must be one of ${[...TEMPLATES.keys()].join(", ")}, got ${quote(sftFormat)}; give the rendered text as a prompt instead`,
      { origin: "model" },
    );
  }
  let text = template.bare || systemPrompt === "" ? "" : systemPrompt + template.separators[0];
  messages.forEach(({ role, content }, turn) => {
    const message = strip(content);
    const separator = template.separators[turn % 2 === 0 ? 0 : 1];
    if (template.bare) text += message === "" ? "" : message + separator;
    else text += message === "" ? `${role}:` : `${role}: ${message}${separator}`;
  });
  return strip(text);
}

/**
 * Python's `str.isspace`: unlike JavaScript's `trim` it takes U+001C-U+001F and U+0085 and keeps U+FEFF. All are single UTF-16 units.
 */
const PYTHON_SPACE = new Set(
  "\t\n\v\f\r\u001c\u001d\u001e\u001f \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000",
);

/** Python's `str.strip()`. */
export function strip(text: string): string {
  let begin = 0;
  let end = text.length;
  while (begin < end && PYTHON_SPACE.has(text[begin]!)) begin++;
  while (end > begin && PYTHON_SPACE.has(text[end - 1]!)) end--;
  return text.slice(begin, end);
}
