import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { BUILTIN_SYSTEM_PROMPT, type Message, renderConversation, strip } from "#dist/text/conversation.js";
import { golden } from "../../support/paths.js";
import { refusedNow } from "../../support/refusal.js";

interface Templates {
  builtin_system_prompt: string;
  cases: { sft_format: string; system_prompt: string | null; conversation: Message[]; rendered: string }[];
}

const recorded = JSON.parse(readFileSync(golden("text/templates.json"), "utf8")) as Templates;

const test = suite("text/conversation");

test("every recorded conversation renders to the recorded prompt", () => {
  assert.is(recorded.cases.length, 11);
  for (const { sft_format, system_prompt, conversation, rendered } of recorded.cases) {
    assert.is(renderConversation(conversation, sft_format, system_prompt ?? BUILTIN_SYSTEM_PROMPT), rendered);
  }
});

test("the built-in system prompt is the recorded literal", () => {
  assert.is(BUILTIN_SYSTEM_PROMPT, recorded.builtin_system_prompt);
});

test("strip takes what Python's str.isspace takes, and nothing else", () => {
  // The 29 code points of str.isspace in Python 3.11.
  const spaces = [
    0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x1c, 0x1d, 0x1e, 0x1f, 0x20, 0x85, 0xa0, 0x1680, 0x2000, 0x2001, 0x2002, 0x2003,
    0x2004, 0x2005, 0x2006, 0x2007, 0x2008, 0x2009, 0x200a, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000,
  ];
  for (let unit = 0; unit <= 0xffff; unit++) {
    const text = String.fromCharCode(unit);
    assert.is(strip(text), spaces.includes(unit) ? "" : text, unit.toString(16));
  }
});

test("strip keeps what is inside", () => {
  assert.is(strip(" \u001c a \u0085 b \n"), "a \u0085 b");
  assert.is(strip(""), "");
  assert.is(strip(" \t\n"), "");
});

test("the two DeepSeek formats render alike: roles come from the messages", () => {
  const turns = [
    { role: "x", content: "1" },
    { role: "y", content: "2" },
    { role: "z", content: "3" },
  ];
  const expected = "s\n\nx: 1\n\ny: 2<｜end▁of▁sentence｜>z: 3";
  assert.is(renderConversation(turns, "deepseek", "s"), expected);
  assert.is(renderConversation(turns, "deepseek_old", "s"), expected);
});

test("plain has neither roles nor a system prompt", () => {
  assert.is(renderConversation([{ role: "User", content: " a " }], "plain", "system"), "a");
});

test("a conversation of no messages is the system prompt", () => {
  assert.is(renderConversation([], "deepseek", "s"), "s");
  assert.is(renderConversation([], "deepseek", ""), "");
});

test("another format is refused, naming it", () => {
  for (const format of ["llama2", "alignment", "", "__proto__"]) {
    refusedNow(() => renderConversation([], format, ""), "E_UNSUPPORTED", /processor_config\.json/, /sft_format/);
  }
});

test.run();
