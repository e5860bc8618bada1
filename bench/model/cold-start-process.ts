/** From nothing to inputs_embeds: what a command-line program that embeds one picture does, with pixels at hand. */
import { Janus } from "#dist/entry/node/index.js";
import { input, send } from "../child.js";

export interface ColdStartInput {
  readonly model: string;
  readonly size: number;
}

export interface ColdStartOutput {
  readonly dims: readonly number[];
  readonly threads: number;
}

const { model, size } = input<ColdStartInput>();
const janus = await Janus.load(model);
const data = new Uint8Array(3 * size ** 2).fill(127);
const { inputsEmbeds } = await janus.embed({
  question: "What is on the right?",
  images: [{ width: size, height: size, data }],
});
send({ dims: inputsEmbeds.dims, threads: janus.runtime.threads } satisfies ColdStartOutput);
await janus.dispose();
