import { suite } from "uvu";
import * as assert from "uvu/assert";
import { checkLoadOptions, type LoadOptions } from "#dist/entry/options.js";
import { refusedNow } from "../../support/refusal.js";

const test = suite("entry/options");

test("what may be asked for", () => {
  assert.not.throws(() => checkLoadOptions({}));
  for (const dtype of ["auto", "fp32", "int8"] as const) assert.not.throws(() => checkLoadOptions({ dtype }));
  for (const variant of ["auto", "simd", "relaxed"] as const) assert.not.throws(() => checkLoadOptions({ variant }));
  for (const threads of ["auto", 1, 2, 63, 64] as const) assert.not.throws(() => checkLoadOptions({ threads }));
});

const BAD: Readonly<Record<"dtype" | "variant" | "threads" | "residency" | "memoryBudget", readonly unknown[]>> = {
  residency: ["streamed", "", null, true],
  memoryBudget: ["128MB", 0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2n, null],
  dtype: ["bf16", "FP32", "", null, 32, ["auto"], {}],
  variant: ["simd-threads", "SIMD", "", null, 0, {}],
  threads: ["2", 0, -1, 65, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2n, null, [2], ""],
};

for (const [option, values] of Object.entries(BAD)) {
  for (const value of values) {
    test(`${option} ${typeof value === "bigint" ? "2n" : JSON.stringify(value)} is a usage error that says what was given`, () => {
      const error = refusedNow(
        () => checkLoadOptions({ [option]: value } as LoadOptions),
        "E_USAGE",
        new RegExp(`^loading: ${option} must be .*, got `),
      );
      assert.is(error.origin, "usage");
    });
  }
}

test("a long value is cut in the message", () => {
  const error = refusedNow(
    () => checkLoadOptions({ dtype: "x".repeat(10_000) as "auto" }),
    "E_USAGE",
    /10002 characters/,
  );
  assert.ok(error.message.length < 200);
});

test.run();
