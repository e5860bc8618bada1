import type { Host } from "#dist/entry/host.js";
import type { EmbedRequest, Runtime } from "#dist/entry/node/index.js";
import type { ErrorCode } from "#dist/errors.js";
import { JanusError } from "#dist/errors.js";
import type { CaseModel } from "./cases.js";
import { parseTyped, stringifyTyped } from "./typed-json.js";

/** A call of a model in the worker of the tests. */
export interface Call {
  /** A directory of the worker's assets. */
  readonly checkpoint: string;
  readonly options: { readonly variant: "simd" | "relaxed"; readonly dtype?: "auto" | "int8" };
  readonly method: "embed" | "prepareInputsEmbeds";
  readonly args: readonly unknown[];
}

export type Outcome =
  | { readonly result: unknown; readonly runtime: Runtime }
  | { readonly error: { readonly code: string; readonly message: string } };

/** A model within workerd, as one here, and what it last said of its runtime. */
export interface WorkerdJanus extends CaseModel {
  runtime?: Runtime;
}

/** The worker at `url` as a model. Pictures are decoded by `host`, so that both see the same pixels. */
export function workerdJanus(url: string, host: Host, checkpoint: string, options: Call["options"]): WorkerdJanus {
  const model: WorkerdJanus = {
    async embed(requests, { stages = false } = {}) {
      const decoded = await withPixels(requests as readonly EmbedRequest[]);
      return (await call("embed", [decoded, { stages }])) as never;
    },
    async prepareInputsEmbeds(inputs, { stages = false } = {}) {
      return (await call("prepareInputsEmbeds", [inputs, { stages }])) as never;
    },
  };

  async function call(method: Call["method"], args: readonly unknown[]): Promise<unknown> {
    const body = stringifyTyped({ checkpoint, options, method, args } satisfies Call);
    const response = await fetch(url, { method: "POST", body });
    const outcome = parseTyped(await response.text()) as Outcome;
    if ("error" in outcome) throw new JanusError(outcome.error.code as ErrorCode, outcome.error.message);
    model.runtime = outcome.runtime;
    return outcome.result;
  }

  /** The same requests, with every path among their images replaced by what lies there. */
  async function withPixels(value: unknown, key = ""): Promise<unknown> {
    if (typeof value === "string") return key === "images" ? host.decode(value, 0) : value;
    if (Array.isArray(value)) return Promise.all(value.map((one) => withPixels(one, key)));
    if (typeof value !== "object" || value === null) return value;
    const entries = Object.entries(value).map(async ([name, one]) => [name, await withPixels(one, name)] as const);
    return Object.fromEntries(await Promise.all(entries));
  }

  return model;
}
