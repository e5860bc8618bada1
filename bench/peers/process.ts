/** A peer as a contender: onnxruntime-web or onnxruntime-node, from the packages of `bench/peers`, on the graph of `graph.ts`. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { serveContender } from "../model/serve.js";
import { PEERS } from "./installed.js";

export interface PeerOptions {
  readonly package: "onnxruntime-web" | "onnxruntime-node";
  readonly graph: string;
  readonly dtype: string;
  readonly threads: number;
  /** Of the picture. */
  readonly imageSize: number;
}

/** The part of onnxruntime-common's interface that is used here; the packages are no dependency, so neither are their types. */
interface Runtime {
  readonly env: { readonly versions: Readonly<Record<string, string>>; readonly wasm: { numThreads?: number } };
  readonly Tensor: new (type: "float32", data: Float32Array, dims: readonly number[]) => unknown;
  readonly InferenceSession: {
    create(
      model: string | Uint8Array,
      options: object,
    ): Promise<{ run(feeds: object): Promise<Record<string, { data: Float32Array }>> }>;
  };
}

serveContender(async ({ package: name, graph, dtype, threads, imageSize }: PeerOptions) => {
  const require = createRequire(PEERS);
  const { env, Tensor, InferenceSession }: Runtime = require(name);
  const web = name === "onnxruntime-web";
  const version = env.versions[web ? "web" : "node"];
  if (web) env.wasm.numThreads = threads;
  const session = web
    ? await InferenceSession.create(readFileSync(graph), { executionProviders: ["wasm"] })
    : await InferenceSession.create(graph, {
        executionProviders: ["cpu"],
        intraOpNumThreads: threads,
        interOpNumThreads: 1,
      });
  return {
    about: {
      name,
      version,
      engine: `node ${process.versions.node} (V8 ${process.versions.v8})`,
      threads,
      dtype,
    },
    async run(pixels, images) {
      if (images !== 1) throw new Error(`${name}: the graph takes one picture, got ${images}`);
      const feeds = { pixel_values: new Tensor("float32", pixels, [1, 3, imageSize, imageSize]) };
      const { image_embeds } = await session.run(feeds);
      if (!image_embeds) throw new Error(`${name}: the graph gave no image_embeds`);
      return image_embeds.data;
    },
  };
});
