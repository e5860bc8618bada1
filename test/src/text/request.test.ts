import { suite } from "uvu";
import * as assert from "uvu/assert";
import { BUILTIN_SYSTEM_PROMPT } from "#dist/text/conversation.js";
import { type PromptSettings, renderRequests } from "#dist/text/request.js";
import { refusedNow } from "../../support/refusal.js";

const JANUS: PromptSettings = { imageTag: "<image_placeholder>", proRoles: false };
const PRO: PromptSettings = { ...JANUS, proRoles: true };

function render(request: unknown, settings = JANUS): { prompt: string; images: readonly unknown[] } {
  const rows = renderRequests([request], settings);
  assert.is(rows.length, 1);
  return rows[0]!;
}

const test = suite("text/request");

test("a question gets a placeholder and a newline per image, and an empty assistant turn", () => {
  assert.equal(render({ question: "Which is brighter?", images: ["a.png", "b.png"] }), {
    prompt: `${BUILTIN_SYSTEM_PROMPT}\n\nUser: <image_placeholder>\n<image_placeholder>\nWhich is brighter?\n\nAssistant:`,
    images: ["a.png", "b.png"],
  });
});

test("a question takes Janus-Pro's roles where both are tokens", () => {
  const { prompt } = render({ question: "hi", images: [1], system: "" }, PRO);
  assert.is(prompt, "<|User|>: <image_placeholder>\nhi\n\n<|Assistant|>:");
});

test("roles of a request are used as given", () => {
  assert.is(render({ question: "hi", system: "", roles: ["Human", "AI"] }, PRO).prompt, "Human: hi\n\nAI:");
});

test("images may be absent", () => {
  assert.equal(render({ question: "hi", system: "" }), { prompt: "User: hi\n\nAssistant:", images: [] });
  assert.equal(render({ prompt: "hi" }), { prompt: "hi", images: [] });
});

test("a prompt is taken verbatim", () => {
  const prompt = "  <image_placeholder> \u0000 \ud800 ";
  assert.equal(render({ prompt, images: ["a"] }), { prompt, images: ["a"] });
});

test("P01 an empty prompt is a prompt", () => {
  assert.equal(render({ prompt: "", images: [] }), { prompt: "", images: [] });
  assert.is(render({ question: "", system: "" }).prompt, "User:Assistant:");
});

test("the system prompt is the request's, else the checkpoint's, else the built-in one; empty means none", () => {
  const settings = { ...JANUS, systemPrompt: "From the checkpoint." };
  assert.is(render({ question: "q" }, settings).prompt, "From the checkpoint.\n\nUser: q\n\nAssistant:");
  assert.is(render({ question: "q", system: "Mine." }, settings).prompt, "Mine.\n\nUser: q\n\nAssistant:");
  assert.is(render({ question: "q", system: "" }, settings).prompt, "User: q\n\nAssistant:");
  assert.is(render({ question: "q" }, { ...JANUS, systemPrompt: "" }).prompt, "User: q\n\nAssistant:");
  assert.is(render({ question: "q" }).prompt, `${BUILTIN_SYSTEM_PROMPT}\n\nUser: q\n\nAssistant:`);
});

test("the checkpoint's image tag and format are used", () => {
  const settings = { ...JANUS, imageTag: "<img>", sftFormat: "plain" };
  assert.is(render({ question: "q", images: [1] }, settings).prompt, "<img>\nq");
  refusedNow(() => render({ question: "q" }, { ...JANUS, sftFormat: "llama2" }), "E_UNSUPPORTED", /llama2/);
  assert.is(render({ prompt: "q" }, { ...JANUS, sftFormat: "llama2" }).prompt, "q");
});

test("images of a conversation are those of its messages, in order", () => {
  const conversation = [
    { role: "User", content: "<image_placeholder><image_placeholder>", images: ["a", "b"] },
    { role: "Assistant", content: "yes" },
    { role: "User", content: "<image_placeholder>", images: ["c"] },
    { role: "Assistant", content: "", images: [] },
  ];
  const row = render({ conversation, system: "" });
  assert.equal(row.images, ["a", "b", "c"]);
  assert.is(
    row.prompt,
    "User: <image_placeholder><image_placeholder>\n\nAssistant: yes<｜end▁of▁sentence｜>User: <image_placeholder>\n\nAssistant:",
  );
});

test("images of a conversation may stand beside it instead, never in both places", () => {
  const bare = [{ role: "User", content: "<image_placeholder>" }];
  assert.equal(render({ conversation: bare, images: ["a"] }).images, ["a"]);
  const full = [{ role: "User", content: "<image_placeholder>", images: ["a"] }];
  refusedNow(() => render({ conversation: full, images: ["b", "c"] }), "E_PROMPT", /row 0/, /1 in the messages and 2/);
});

test("P04 a placeholder that a user typed stays in the text, to be counted against the images", () => {
  assert.is(
    render({ question: "what is <image_placeholder>?", images: ["a"], system: "" }).prompt,
    "User: <image_placeholder>\nwhat is <image_placeholder>?\n\nAssistant:",
  );
});

test("P16 an empty list of requests has no rows", () => {
  assert.equal(renderRequests([], JANUS), []);
});

test("rows are named by their number", () => {
  refusedNow(
    () => renderRequests([{ prompt: "a" }, { prompt: 3 }], JANUS),
    "E_PROMPT",
    /^row 1: prompt must be a string, got 3$/,
  );
});

test("what is wrong with a request is said", () => {
  const refused: [unknown, RegExp][] = [
    [undefined, /must be an object, got undefined/],
    [null, /must be an object, got null/],
    ["hello", /must be an object, got "hello"/],
    [[{ prompt: "a" }], /must be an object, got \[object Array\]/],
    [{}, /exactly one of question, prompt, conversation, got \[\]/],
    [{ images: [] }, /exactly one of question, prompt, conversation, got \["images"\]/],
    [{ question: "a", prompt: "b" }, /exactly one of .* got question and prompt/],
    [{ question: "a", image: "b" }, /no key "image"; it may have question, images, system, roles/],
    [{ prompt: "a", system: "b" }, /a request with a prompt has no key "system"/],
    [{ prompt: "a", roles: ["b", "c"] }, /a request with a prompt has no key "roles"/],
    [{ conversation: [], roles: ["b", "c"] }, /a request with a conversation has no key "roles"/],
    [{ question: 1 }, /question must be a string, got 1/],
    [{ question: null }, /question must be a string, got null/],
    [{ question: "a", images: "b.png" }, /images must be a list, got "b\.png"/],
    [{ question: "a", images: null }, /images must be a list, got null/],
    [{ question: "a", images: new Uint8Array(5_000_000) }, /images must be a list, got \[object Uint8Array\]/],
    [{ question: "a", system: null }, /system must be a string, got null/],
    [{ question: "a", roles: ["User"] }, /roles must be the two strings/],
    [{ question: "a", roles: ["User", "Assistant", "x"] }, /roles must be the two strings/],
    [{ question: "a", roles: [1, 2] }, /roles must be the two strings/],
    [{ question: "a", roles: "User" }, /roles must be the two strings/],
    [{ conversation: "a" }, /conversation must be a list, got "a"/],
    [{ conversation: ["a"] }, /message 0 must be an object, got "a"/],
    [
      { conversation: [{ role: "User", content: "a" }, { content: "a" }] },
      /message 1: role must be a string, got undefined/,
    ],
    [{ conversation: [{ role: "User" }] }, /message 0: content must be a string/],
    [{ conversation: [{ role: "User", content: ["a"] }] }, /message 0: content must be a string, got \[object Array\]/],
    [
      { conversation: [{ role: "User", content: "a", image: 1 }] },
      /message 0 has no key "image"; it may have role, content, images/,
    ],
    [{ conversation: [{ role: "User", content: "a", images: "b" }] }, /message 0: images must be a list/],
  ];
  for (const [request, pattern] of refused) refusedNow(() => render(request), "E_PROMPT", /^row 0: /, pattern);
});

test("a key that is absent by value is absent", () => {
  assert.is(render({ prompt: "a", question: undefined, images: undefined }).prompt, "a");
});

test.run();
