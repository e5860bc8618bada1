/** The numbered list of hostile inputs: each case of the first step has a test that says its number in its title. */
import { readdirSync, readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ROOT } from "../support/paths.js";

/** Letter and last number: safetensors, shards and PyTorch files, configuration and tokenizer, pictures, prompts and masks, command line. */
const LISTS: readonly (readonly [string, number])[] = [
  ["S", 30],
  ["B", 20],
  ["C", 14],
  ["I", 24],
  ["P", 20],
  ["L", 7],
];

/** Cases beyond the ranges above. */
const MORE = ["L09"];

const test = suite("hostile list");

test("every number has a named test", () => {
  const titles = new Set<string>();
  for (const path of readdirSync(`${ROOT}test`, { recursive: true, encoding: "utf8" })) {
    if (!path.endsWith(".test.ts") || path.endsWith("hostile-list.test.ts")) continue;
    const text = readFileSync(`${ROOT}test/${path}`, "utf8");
    // A title stands in a call, or is a key of a table that a loop makes tests of.
    for (const [, call, key] of text.matchAll(/^\s*\w+\(\s*[`"']([^\n]*)|^\s*"([^"\n]+)":/gm)) {
      const title = call ?? key ?? "";
      for (const [number] of title.matchAll(/\b[SBCIPL]\d\d\b/g)) titles.add(number);
    }
  }
  const wanted = LISTS.flatMap(([letter, last]) =>
    Array.from({ length: last }, (_, n) => `${letter}${String(n + 1).padStart(2, "0")}`),
  );
  const missing = [...wanted, ...MORE].filter((number) => !titles.has(number));
  assert.equal(missing, [], "cases without a named test");
});

test.run();
