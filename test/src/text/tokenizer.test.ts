import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  createTokenizer,
  sequenceTokens,
  type Tokenizer,
  type TokenizerFiles,
  withPlainClass,
} from "#dist/text/tokenizer.js";
import { golden } from "../../support/paths.js";
import { refusedNow } from "../../support/refusal.js";
import { bytes, editedFiles, TOKENIZERS, tokenizerFiles } from "../../support/tokenizer-files.js";

interface Recorded {
  bos_id: number;
  eos_id: number;
  pad_id: number;
  image_id: number;
  image_start_id: number;
  image_end_id: number;
  vocab_size_with_placeholder: number;
  cases: { text: string; ids: number[]; ids_without_bos: number[] }[];
}

const ROWS = 1024;

function recorded(checkpoint: string): Recorded {
  return JSON.parse(readFileSync(golden(`text/tokenizer.${checkpoint}.json`), "utf8")) as Recorded;
}

function make(files: TokenizerFiles, vocabRows = ROWS): Tokenizer {
  return createTokenizer(files, { vocabRows });
}

const APPENDED = "tiny-orig-safetensors";
const PRESENT = "tiny-orig-bin";

const test = suite("text/tokenizer");

for (const checkpoint of TOKENIZERS) {
  test(`${checkpoint}: all recorded texts, with BOS and without`, () => {
    const { cases } = recorded(checkpoint);
    const withBos = make(tokenizerFiles(checkpoint));
    const without = make(
      editedFiles(
        checkpoint,
        () => {},
        (config) => (config["add_bos_token"] = false),
      ),
    );
    assert.is(cases.length, 32);
    for (const { text, ids, ids_without_bos } of cases) {
      assert.equal(withBos.encode(text), ids, JSON.stringify(text));
      assert.equal(without.encode(text), ids_without_bos, JSON.stringify(text));
    }
  });

  test(`${checkpoint}: the recorded special ids`, () => {
    const expected = recorded(checkpoint);
    assert.equal(make(tokenizerFiles(checkpoint)).special, {
      bos: expected.bos_id,
      eos: expected.eos_id,
      pad: expected.pad_id,
      placeholder: expected.image_id,
      boi: expected.image_start_id,
      eoi: expected.image_end_id,
      proRoles: checkpoint === "tiny-orig-bin-single",
      imageTag: "<image_placeholder>",
    });
  });
}

test("tiny-hf, with image_token, boi_token and eoi_token in its config, is tiny-orig-bin's tokenizer", () => {
  const hf = make(tokenizerFiles("tiny-hf"));
  const original = make(tokenizerFiles(PRESENT));
  assert.equal(hf.special, original.special);
  for (const { text, ids } of recorded(PRESENT).cases) assert.equal(hf.encode(text), ids);
});

test("tokenizer.json alone is enough for a DeepSeek tokenizer", () => {
  const { tokenizerJson } = tokenizerFiles(PRESENT);
  const tokenizer = make({ tokenizerJson });
  assert.equal(tokenizer.special, make(tokenizerFiles(PRESENT)).special);
  assert.is(tokenizer.encode("a")[0], recorded(PRESENT).bos_id);
});

test("the roles of tokens are read from tokenizer_config.json, then from special_tokens_map.json", () => {
  const { tokenizerJson } = tokenizerFiles(PRESENT);
  const config = { bos_token: "<|ref|>", eos_token: { content: "<|/ref|>" } };
  const map = { bos_token: "a", eos_token: "b" };
  const both = make({ tokenizerJson, tokenizerConfig: bytes(config), specialTokensMap: bytes(map) }).special;
  assert.equal([both.bos, both.eos], [603, 604]);
  const mapped = make({ tokenizerJson, tokenizerConfig: bytes({}), specialTokensMap: bytes(map) }).special;
  assert.equal([mapped.bos, mapped.eos], [64, 65]);
});

test("image tokens may be named in tokenizer_config.json, directly or in extra_special_tokens", () => {
  const names = { image_token: "<|ref|>", boi_token: "a", eoi_token: { content: "b" } };
  for (const config of [names, { extra_special_tokens: names }]) {
    const { special } = make({ ...tokenizerFiles(PRESENT), tokenizerConfig: bytes(config) });
    assert.equal([special.placeholder, special.boi, special.eoi, special.imageTag], [603, 64, 65, "<|ref|>"]);
  }
  const list = { extra_special_tokens: ["<x>"] };
  assert.is(make({ ...tokenizerFiles(PRESENT), tokenizerConfig: bytes(list) }).special.placeholder, 608);
});

test("image_tag of processor_config.json goes before image_token", () => {
  const files = { ...tokenizerFiles(PRESENT), tokenizerConfig: bytes({ image_token: "<|ref|>" }) };
  const tokenizer = createTokenizer(files, { vocabRows: ROWS, imageTag: "<picture>" });
  assert.is(tokenizer.special.placeholder, 609);
  assert.equal(tokenizer.encode("<picture><|ref|>").slice(1), [609, 603]);
  refusedNow(() => createTokenizer(files, { vocabRows: ROWS, imageTag: "" }), "E_CONFIG", /image_tag/);
});

test("the pad token is Janus', else pad_token, else EOS", () => {
  const withoutPad = (config: object) =>
    make({
      ...editedFiles(PRESENT, ({ added_tokens }) => {
        added_tokens[2]!.content = "<not pad>";
      }),
      tokenizerConfig: bytes(config),
      specialTokensMap: undefined,
    }).special.pad;
  assert.is(make({ ...tokenizerFiles(PRESENT), tokenizerConfig: bytes({ pad_token: "a" }) }).special.pad, 602);
  assert.is(withoutPad({ pad_token: "a" }), 64);
  assert.is(withoutPad({ pad_token: null }), 601);
  assert.is(withoutPad({ pad_token: "no such token" }), 601);
  refusedNow(() => withoutPad({ eos_token: "no such token" }), "E_CONFIG", /tokenizer\.json/, /pads/);
});

test("P06 lone surrogates, NUL, right-to-left and joiners have ids", () => {
  const { encode } = make(tokenizerFiles(PRESENT));
  assert.equal(encode("\ud800x\udc00"), encode("\ufffdx\ufffd"));
  assert.is(encode("\u0000").length, 2);
  assert.ok(encode("\u202eabc\u202c שלום 👩\u200d👩").length > 10);
  assert.equal(encode("<image_placeholder>\ud83d").slice(0, 2), [600, 608]);
});

test("\\s in a pattern is White_Space: with U+0085, without U+FEFF", () => {
  // Both characters, as their bytes, merge with an "a" behind them: one token where the pattern takes them along, two where it splits.
  const files = editedFiles(PRESENT, (document) => {
    const { model, added_tokens } = document;
    const grown = ["Âħ", "Âħa", "ï»", "ï»¿", "ï»¿a"];
    model.merges.push(["Â", "ħ"], ["Âħ", "a"], ["ï", "»"], ["ï»", "¿"], ["ï»¿", "a"]);
    for (const token of grown) model.vocab[token] = Object.keys(model.vocab).length;
    for (const token of added_tokens) token.id += grown.length;
    const split = { type: "Split", pattern: { Regex: "\\s?[a-z]+" }, behavior: "Isolated", invert: false };
    const bytes = { type: "ByteLevel", add_prefix_space: false, use_regex: false };
    document.pre_tokenizer = { type: "Sequence", pretokenizers: [split, bytes] };
  });
  const { encode } = make(files);
  assert.equal(encode("\u0085a").slice(1), [601]);
  assert.equal(encode("\ufeffa").slice(1), [603, 64]);
});

test("C12 a missing placeholder is appended, as Janus-1.3B's processor does", () => {
  const { special, encode } = make(tokenizerFiles(APPENDED));
  assert.is(special.placeholder, 588);
  assert.equal(encode("a<image_placeholder>b"), [580, 64, 588, 65]);
});

test("C12 missing begin or end of image is refused, naming file and token", () => {
  for (const token of ["<begin_of_image>", "<end_of_image>"]) {
    const files = editedFiles(PRESENT, ({ added_tokens }) => {
      added_tokens.find(({ content }) => content === token)!.content = "<other>";
    });
    refusedNow(() => make(files), "E_CONFIG", /tokenizer\.json/, new RegExp(token));
  }
});

test("without a generator and without image marks it is DeepSeek-VL's, whose prompts are not rendered", () => {
  const files = editedFiles(PRESENT, ({ added_tokens }) => {
    for (const token of added_tokens) token.content = token.content.replace(/^<(begin|end)_of_image>$/, "<$1>");
  });
  const make = (generates: boolean) => () => createTokenizer(files, { vocabRows: ROWS, generates });
  refusedNow(make(false), "E_UNSUPPORTED", /DeepSeek-VL/, /input_ids/);
  refusedNow(make(true), "E_CONFIG", /begin_of_image/);
  assert.is(
    createTokenizer(tokenizerFiles(PRESENT), { vocabRows: ROWS, generates: false }).special.imageTag,
    "<image_placeholder>",
  );
});

test("a missing BOS is refused only where it would be added", () => {
  const files = (addBos: boolean) =>
    editedFiles(
      PRESENT,
      () => {},
      (config) => Object.assign(config, { bos_token: "<s>", add_bos_token: addBos }),
    );
  refusedNow(() => make(files(true)), "E_CONFIG", /"<s>"/, /add_bos_token/);
  assert.is(make(files(false)).special.bos, undefined);
});

test("C13 a placeholder behind the rows of the table is refused, with both figures", () => {
  refusedNow(
    () => make(tokenizerFiles(PRESENT), 608),
    "E_CONFIG",
    /<image_placeholder>/,
    /below the 608 rows .* got 608/,
  );
  refusedNow(
    () => make(tokenizerFiles(APPENDED), 588),
    "E_CONFIG",
    /<image_placeholder>/,
    /below the 588 rows .* got 588/,
  );
  assert.is(make(tokenizerFiles(PRESENT), 609).special.placeholder, 608);
});

test("C15 a chat template is never rendered: a malicious one changes nothing", () => {
  const template = "{% for i in range(1000000000) %}{% for j in range(1000000000) %}x{% endfor %}{% endfor %}";
  for (const chat_template of [template, [{ name: "default", template }], { default: template }, 7, null]) {
    const files = editedFiles(
      PRESENT,
      () => {},
      (config) => Object.assign(config, { chat_template }),
    );
    assert.equal(make(files).encode("Hello world"), recorded(PRESENT).cases[2]!.ids);
  }
});

test("C17 exactly one BOS by add_bos_token, whatever the post-processor says", () => {
  const processors = [
    null,
    { type: "ByteLevel", add_prefix_space: true, trim_offsets: false, use_regex: true },
    { type: "BertProcessing", sep: ["a", 64], cls: ["b", 65] },
    {
      type: "TemplateProcessing",
      single: [
        { SpecialToken: { id: "<｜begin▁of▁sentence｜>", type_id: 0 } },
        { SpecialToken: { id: "<｜begin▁of▁sentence｜>", type_id: 0 } },
        { Sequence: { id: "A", type_id: 0 } },
      ],
      pair: [],
      special_tokens: {},
    },
  ];
  for (const processor of processors) {
    for (const addBos of [true, false, undefined]) {
      const files = editedFiles(
        PRESENT,
        (document) => (document.post_processor = processor),
        (config) => (config["add_bos_token"] = addBos),
      );
      assert.equal(make(files).encode("a"), addBos === false ? [64] : [600, 64]);
    }
  }
});

test("a BOS that a prompt spells out is kept beside the one that is added", () => {
  assert.equal(make(tokenizerFiles(PRESENT)).encode("<｜begin▁of▁sentence｜>a"), [600, 600, 64]);
});

test("add_eos_token appends EOS", () => {
  const files = editedFiles(
    PRESENT,
    () => {},
    (config) => (config["add_eos_token"] = true),
  );
  assert.equal(make(files).encode("a"), [600, 64, 601]);
});

test("a flag or a token of the wrong type is refused, naming file and key", () => {
  const configs: [object, RegExp][] = [
    [{ add_bos_token: "yes" }, /tokenizer_config\.json: add_bos_token must be true or false, got "yes"/],
    [{ add_bos_token: null }, /add_bos_token .* got null/],
    [{ add_eos_token: 1 }, /add_eos_token .* got 1/],
    [{ bos_token: 3 }, /tokenizer_config\.json: bos_token must be an object, got 3/],
    [{ bos_token: { text: "x" } }, /bos_token\.content must be a string/],
    [{ extra_special_tokens: "x" }, /extra_special_tokens must be an object/],
    [{ boi_token: ["x"] }, /boi_token must be an object, got a list/],
  ];
  for (const [config, pattern] of configs) {
    refusedNow(() => make({ ...tokenizerFiles(PRESENT), tokenizerConfig: bytes(config) }), "E_CONFIG", pattern);
  }
});

test("files that are not JSON objects are refused, naming the file", () => {
  for (const content of ["", "{", "[]", "3", "null", '"x"', "\u0000"]) {
    const data = bytes(content);
    refusedNow(() => make({ tokenizerJson: data }), "E_CONFIG", /^tokenizer\.json/);
    refusedNow(
      () => make({ ...tokenizerFiles(PRESENT), tokenizerConfig: data }),
      "E_CONFIG",
      /^tokenizer_config\.json/,
    );
    refusedNow(
      () => make({ ...tokenizerFiles(PRESENT), specialTokensMap: data }),
      "E_CONFIG",
      /^special_tokens_map\.json/,
    );
  }
  refusedNow(() => make({ tokenizerJson: new Uint8Array([0x22, 0xff, 0x22]) }), "E_CONFIG", /UTF-8/);
});

test("C18 a file above 64 MB is refused by its size", () => {
  const large = new Uint8Array(100 * 1024 * 1024);
  refusedNow(() => make({ tokenizerJson: large }), "E_CONFIG", /tokenizer\.json/, /67108864/, /104857600/);
});

test("a pattern that JavaScript cannot compile is refused", () => {
  const files = editedFiles(PRESENT, ({ pre_tokenizer }) => {
    pre_tokenizer["pretokenizers"] = [
      { type: "Split", pattern: { Regex: "(unclosed" }, behavior: "Isolated", invert: false },
    ];
  });
  refusedNow(() => make(files), "E_CONFIG", /tokenizer\.json/);
});

test("what begins, ends and pads a sequence, where the tokenizer has it", () => {
  for (const checkpoint of TOKENIZERS) {
    const { bos_id: bos, eos_id: eos, pad_id: pad } = recorded(checkpoint);
    assert.equal(sequenceTokens(tokenizerFiles(checkpoint), ROWS), { bos, eos, pad });
  }
  const others = editedFiles(
    PRESENT,
    () => {},
    (config) => Object.assign(config, { bos_token: "<none>", eos_token: "<|ref|>" }),
  );
  const found = sequenceTokens(others, ROWS);
  assert.is(found.bos, undefined);
  assert.is(found.eos, 603);
  refusedNow(() => sequenceTokens(tokenizerFiles(PRESENT), 600), "E_CONFIG", /must have an id below the 600 rows/);
});

test("the class that takes tokenizer.json as it is, in place of Llama's alone", () => {
  const text = (value: object): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
  for (const name of ["LlamaTokenizer", "LlamaTokenizerFast"])
    assert.equal(withPlainClass(text({ tokenizer_class: name, legacy: true })), {
      tokenizer_class: "PreTrainedTokenizerFast",
      legacy: true,
    });
  for (const config of [{}, { tokenizer_class: "Qwen2Tokenizer" }]) assert.equal(withPlainClass(text(config)), config);
});

test.run();
