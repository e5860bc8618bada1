/** A tokenizer of DeepSeek's size: the real one of DeepSeek-V3, in its compact form, against tokenizer.json in the library. */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { createTokenizer } from "#dist/text/tokenizer.js";
import { readCompact } from "../support/compact-reader.js";
import { compacted, deepSeekFiles } from "../support/compact-tokenizers.js";
import { ROOT } from "../support/paths.js";
import { recordedTexts } from "../support/recorded-texts.js";
import { inScratch } from "../support/scratch.js";
import { readJson, type TokenizerDocument } from "../support/tokenizer-files.js";
import { anyText, RUNS, sameIds } from "../support/tokenizer-texts.js";

const test = suite("DeepSeek's tokenizer");

const OPTIONS = { vocabRows: 2 ** 20 };

/** What a child process says of itself. */
interface Measured {
  /** MB of JavaScript heap and buffers, above those of the process without a tokenizer. */
  readonly made: number;
  readonly rest: number;
  readonly ids: number;
}

/**
 * A tokenizer made and used by a process of its own, in a heap that cannot grow beyond `heapMB`; undefined when that was not enough. What it makes on the way counts:
 * `made` is taken before garbage is collected.
 */
function measure(file: string, heapMB: number): Measured | undefined {
  const child = spawnSync(
    process.execPath,
    [
      ...["--expose-gc", "--max-semi-space-size=1", `--max-old-space-size=${heapMB}`, "--input-type=module", "-e"],
      `import { readFileSync, statSync, openSync, readSync } from "node:fs";
      import { createTokenizer } from "${ROOT}dist/text/tokenizer.js";
      const used = () => { const { heapUsed, external } = process.memoryUsage(); return (heapUsed + external) / 1e6; };
      gc();
      const before = used();
      let tokenizerJson = new Uint8Array(statSync(process.argv[1]).size);
      readSync(openSync(process.argv[1]), tokenizerJson);
      const { encode } = createTokenizer({ tokenizerJson }, { vocabRows: 2 ** 20 });
      tokenizerJson = undefined;
      const made = used() - before;
      const ids = encode(process.argv[2]).length;
      gc();
      console.log(JSON.stringify({ made, rest: used() - before, ids }));`,
      file,
      "What is in the image? ".repeat(200),
    ],
    { encoding: "utf8" },
  );
  return child.status === 0 ? JSON.parse(child.stdout) : undefined;
}

const files = deepSeekFiles();
if (files) {
  const compact = compacted(files);

  test("the same ids of recorded texts, random ones and runs", () => {
    const pair = [createTokenizer(files, OPTIONS), createTokenizer(compact, OPTIONS)] as const;
    assert.equal(pair[1].special, pair[0].special);
    for (const text of [...recordedTexts(), ...RUNS]) sameIds(pair, text);
    fc.assert(
      fc.property(anyText, (text) => sameIds(pair, text)),
      { seed: 8, numRuns: 1500 },
    );
  });

  test("a stranger's reader finds all tokens and merges", () => {
    const { model } = readJson<TokenizerDocument>(files.tokenizerJson);
    const { tokens, merges } = readCompact(compact.tokenizerJson);
    assert.is(tokens.length, 128_000);
    tokens.forEach((token, id) => {
      if (model.vocab[token] !== id) assert.unreachable(`${token} ${id}`);
    });
    assert.is(merges.length, model.merges.length);
    merges.forEach((merge, rank) => {
      if (merge.join(" ") !== model.merges[rank]) assert.unreachable(`merge ${rank}`);
    });
  });

  test("it takes less than 10 MB, 15 MB while it is made, in a heap where tokenizer.json has no room", () =>
    inScratch(async (folder) => {
      const [json, bin] = [join(folder, "tokenizer.json"), join(folder, "tokenizer.janus")];
      writeFileSync(json, files.tokenizerJson);
      writeFileSync(bin, compact.tokenizerJson);
      const small = measure(bin, 12);
      assert.ok(small && small.rest < 10 && small.made < 15, JSON.stringify(small));
      assert.is(measure(json, 24), undefined);
      const large = measure(json, 512);
      assert.is(large?.ids, small!.ids);
      assert.ok(large!.rest > 3 * small!.rest, JSON.stringify([large, small]));
      console.log(`MB, heap and buffers: compact ${JSON.stringify(small)}, tokenizer.json ${JSON.stringify(large)}`);
      assert.ok(readFileSync(bin).length < 5e6);
    }));
}

test.run();
