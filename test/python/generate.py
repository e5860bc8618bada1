"""What a Janus answers to input_ids and pixel_values, and what its exported language model answers to inputs_embeds made of the same.

    python generate.py [JANUS_DIR LLAMA_DIR INPUTS.safetensors]...

JANUS_DIR in the Hugging Face layout. INPUTS holds N.input_ids, N.attention_mask, N.inputs_embeds and, where there are pictures, N.pixel_values.
Prints a list of {"janus": {N: [[id, ...], ...]}, "llama": {...}, "missing": [name, ...], "difference": x}: both compute in float32, greedily; the
difference is the largest of their logits of the prompts, as a part of the largest logit.
"""

import json
import sys

import torch
from safetensors.torch import load_file
from transformers import JanusForConditionalGeneration, LlamaForCausalLM


def answer(janus_dir: str, llama_dir: str, path: str) -> dict:
    inputs = load_file(path)
    llama, loaded = LlamaForCausalLM.from_pretrained(llama_dir, dtype=torch.float32, output_loading_info=True)
    # The image generator, which a checkpoint may lack, is made up then, and never asked.
    janus = JanusForConditionalGeneration.from_pretrained(janus_dir, dtype=torch.float32)
    # Both checkpoints have no generation_config.json; the export has looked the tokens up.
    janus.generation_config.update(eos_token_id=llama.config.eos_token_id, pad_token_id=llama.config.pad_token_id)
    answers = {"janus": {}, "llama": {}, "missing": sorted(loaded["missing_keys"]) + sorted(loaded["unexpected_keys"]), "difference": 0}
    for n in sorted({name.partition(".")[0] for name in inputs}):
        mask = inputs[f"{n}.attention_mask"]
        options = {"attention_mask": mask, "do_sample": False, "max_new_tokens": 16}
        pixels = inputs.get(f"{n}.pixel_values")
        pictures = {} if pixels is None else {"pixel_values": pixels.flatten(0, 1)}
        ids, embeds = {"input_ids": inputs[f"{n}.input_ids"], **pictures}, {"inputs_embeds": inputs[f"{n}.inputs_embeds"]}
        theirs = janus.generate(generation_mode="text", **ids, **options)
        ours = llama.generate(**embeds, **options)
        # Janus repeats the prompt's ids in front, as every model that is given ids.
        answers["janus"][n] = theirs[:, mask.shape[1] :].tolist()
        answers["llama"][n] = ours.tolist()
        with torch.no_grad():
            a, b = (model(**given, attention_mask=mask).logits[mask == 1] for model, given in ((janus, ids), (llama, embeds)))
        answers["difference"] = max(answers["difference"], float((a - b).abs().max() / a.abs().max()))
    return answers


torch.set_num_threads(1)
arguments = iter(sys.argv[1:])
print(json.dumps([answer(*three) for three in zip(arguments, arguments, arguments)]))
