import { readFileSync } from "node:fs";
import { Tokenizer } from "@huggingface/tokenizers";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Vocabulary } from "../../../examples/browser/vocabulary.mjs";
import { ROOT } from "../../support/paths.js";

const test = suite("examples/browser/vocabulary");
const json = (name: string) => JSON.parse(readFileSync(`${ROOT}models/demo/${name}`, "utf8"));

test("ids become the text that the tokenizer library gives", () => {
  const library = new Tokenizer(json("tokenizer.json"), json("tokenizer_config.json"));
  const vocabulary = new Vocabulary(json("tokenizer.json"));
  for (const text of ["an orange triangle", "Two\n\nlines, naïve “quotes” 日本 🙂", " 7"]) {
    const { ids } = library.encode(text, { add_special_tokens: false });
    assert.is(vocabulary.text(ids), text);
    assert.is(
      ids
        .map((id: number) => vocabulary.token(id))
        .join("")
        .includes("�"),
      false,
    );
  }
});

test("special tokens are their names, parts of a character their bytes, unknown ids their number", () => {
  const vocabulary = new Vocabulary({
    model: { vocab: { Ġa: 0, æ: 1, "▁x": 2 } },
    added_tokens: [{ id: 3, content: "<｜end｜>" }],
  });
  assert.equal(
    [0, 1, 2, 3, 9].map((id) => vocabulary.token(id)),
    [" a", "<e6>", "▁x", "<｜end｜>", "#9"],
  );
});

test.run();
