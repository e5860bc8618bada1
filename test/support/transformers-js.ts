/** transformers.js as its own programs import it, and the little of it that the tests use: it is no dependency, so neither are its types. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Tensor } from "#dist/tensor.js";
import { PACKAGES } from "./transformers-packages.js";

export interface JsTensor {
  readonly type: string;
  readonly dims: number[];
  readonly data: Float32Array | BigInt64Array | Uint8Array;
  readonly ort_tensor: object;
  slice(...slices: (null | number | (number | null)[])[]): JsTensor;
  tolist(): unknown[];
}

export type Inputs = Readonly<Record<string, JsTensor>>;

export interface Session {
  readonly inputNames: readonly string[];
  run(feeds: Readonly<Record<string, JsTensor>>): Promise<Readonly<Record<string, object>>>;
  release(): Promise<void>;
}

interface Processor {
  (conversation: readonly object[], options?: object): Promise<Inputs>;
  batch_decode(ids: JsTensor, options: object): string[];
}

interface Model {
  (inputs: Inputs): Promise<Readonly<Record<string, JsTensor>>>;
  readonly sessions: Record<string, Session>;
  generate(options: object): Promise<JsTensor>;
  generate_images(options: object): Promise<{ readonly data: Uint8Array }[]>;
  dispose(): Promise<unknown>;
}

export interface TransformersJs {
  readonly env: { allowRemoteModels: boolean; logLevel: number };
  readonly Tensor: new (type: string, data: unknown, dims: readonly number[]) => JsTensor;
  readonly AutoProcessor: { from_pretrained(folder: string): Promise<Processor> };
  readonly MultiModalityCausalLM: { from_pretrained(folder: string, options?: object): Promise<Model> };
}

/**
 * Its two builds for Node. In `require`'s, onnxruntime's tensors are of the class that transformers.js looks for in what a session
 * returns, as in a browser; in `import`'s they are of a twin.
 */
export const BUILDS: Readonly<Record<"import" | "require", () => Promise<TransformersJs>>> = {
  async import() {
    const folder = `${PACKAGES}/node_modules/@huggingface/transformers`;
    const { exports } = JSON.parse(readFileSync(`${folder}/package.json`, "utf8"));
    return local(await import(`${folder}/${exports.node.import.default}`));
  },
  async require() {
    return local(createRequire(`${PACKAGES}/package.json`)("@huggingface/transformers"));
  },
};

/** Nothing is fetched, and nothing printed. */
function local(library: TransformersJs): TransformersJs {
  library.env.allowRemoteModels = false;
  library.env.logLevel = 50;
  return library;
}

/** Tensors of ours as tensors of transformers.js. */
export function jsTensors({ Tensor }: TransformersJs, tensors: Readonly<Record<string, Tensor>>): Inputs {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, { type, data, dims }]) => [name, new Tensor(type, data, dims)]),
  );
}
