import { Command } from "commander";
import { collect } from "./collect.js";
import { EXIT_STATUS, examples } from "./help.js";
import { addModel, addRuntime, type ModelFlags } from "./model-options.js";
import { addOutput, type OutputFlags } from "./output-options.js";

export interface EmbedFlags extends ModelFlags, OutputFlags {
  readonly question?: string;
  readonly prompt?: string;
  readonly conversation?: string;
  readonly requests?: string;
  readonly inputs?: string;
  readonly image?: readonly string[];
  readonly system?: string;
}

/** `janus embed`: a question, prompt, conversation, batch of requests or recorded inputs to inputs_embeds and their masks. */
export function embedCommand(signal: AbortSignal): Command {
  const command = addModel(
    new Command("embed")
      .summary("embed a prompt with its images")
      .description(
        "Embed a prompt with its images: inputs_embeds, attention_mask, input_ids and image masks in a safetensors file, or inputs_embeds alone as .npy or .pt.",
      ),
  )
    .option("-q, --question <text>", "a question about the images, asked in the model's own conversation")
    .option("-p, --prompt <text>", "a prompt taken verbatim, one <image_placeholder> per image in it")
    .option(
      "--conversation <file>",
      "a JSON list of { role, content, images? }; image paths are relative to the file, and given there or by --image",
    )
    .option(
      "--requests <file>",
      "one JSON request a line, { question | prompt | conversation, images? }: one left-padded batch of at most 1024",
    )
    .option(
      "--inputs <file>",
      "what a Python processor returned, as safetensors or torch.save(dict(inputs)): input_ids, pixel_values, images_seq_mask, images_emb_mask and perhaps attention_mask",
    )
    .option("-i, --image <path>", "a JPEG, PNG or WebP file; may be given several times", collect);
  addOutput(command, "the unpadded inputs_embeds of a row")
    .option("--system <text>", "system prompt instead of the checkpoint's; empty for none")
    .option("--stages", "write pixel_values and every stage of the vision tower and aligner, too");
  return addRuntime(command)
    .addHelpText(
      "after",
      examples(
        'janus embed --model models/demo --question "What is in the image?" --image scene.png --output out.safetensors',
        "janus embed --model models/demo --requests batch.jsonl --output out.safetensors --threads 2 --json",
        "janus embed --model models/demo --inputs processor.safetensors --output out.safetensors --stages",
        'janus embed --model models/demo --prompt "Hello" --output - --output-format pt --output-dtype bf16 > prompt_embeds.pt',
      ),
    )
    .addHelpText("after", EXIT_STATUS)
    .action(async (flags: EmbedFlags) => (await import("../embed.js")).embed(flags, signal));
}
