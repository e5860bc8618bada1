import { Command } from "commander";
import { collect } from "./collect.js";
import { EXIT_STATUS, examples } from "./help.js";
import { addModel, addRuntime, type ModelFlags } from "./model-options.js";
import { addOutput, type OutputFlags } from "./output-options.js";

export interface EncodeFlags extends ModelFlags, OutputFlags {
  readonly image: readonly string[];
}

/** `janus encode`: image_features [n,P,W] and image_embeds [n,P,D] of pictures, without prompt or tokenizer. */
export function encodeCommand(signal: AbortSignal): Command {
  const command = addModel(
    new Command("encode")
      .summary("encode pictures alone")
      .description("Encode pictures: image_features and image_embeds alone, without a prompt."),
  ).requiredOption("-i, --image <path>", "a JPEG, PNG or WebP file; may be given several times", collect);
  addOutput(command, "the image_embeds of a picture");
  return addRuntime(command)
    .addHelpText(
      "after",
      examples("janus encode --model models/demo --image a.png --image b.jpg --output out.safetensors"),
    )
    .addHelpText("after", EXIT_STATUS)
    .action(async (flags: EncodeFlags) => (await import("../encode.js")).encode(flags, signal));
}
