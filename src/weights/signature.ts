/** Bytes to look at: a git-LFS pointer is about 130 bytes long, a page begins at once. */
export const SIGNATURE_BYTES = 512;

/** The first object of every file of torch.save before 1.6: the number 0x1950a86a20f9469cfc6c, as a pickle writes it (LONG1). */
const LEGACY_TORCH = [0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
const PICKLE_PROTO = 0x80;

/**
 * What a file that is not what was expected looks like, with the way out: downloads go wrong in a few well-known ways. Undefined when
 * the beginning says nothing else than expected.
 */
export function recognise(head: Uint8Array, expected: "safetensors" | "zip" | "json"): string | undefined {
  const text = String.fromCharCode(...head.subarray(0, SIGNATURE_BYTES));
  if (text.startsWith("version https://git-lfs"))
    return "a git-LFS pointer, not the file it stands for; fetch the weights with `git lfs pull`";
  if (/^\s*<(?:!doctype|html|head|\?xml)/i.test(text))
    return "an HTML or XML page, probably a saved error message; download the file again";
  if (text.startsWith("PK") && expected !== "zip")
    return "a zip archive, as PyTorch writes it; name it pytorch_model.bin";
  if (text.startsWith("GGUF")) return "a GGUF file; give the safetensors or PyTorch checkpoint it was made from";
  if (head[0] === PICKLE_PROTO) {
    return LEGACY_TORCH.every((byte, i) => head[2 + i] === byte)
      ? "a PyTorch file older than version 1.6; load it in PyTorch and save it again"
      : "a bare pickle; save the weights with torch.save or as safetensors";
  }
  // A length of less than 2^48, then JSON.
  if (head[6] === 0 && head[7] === 0 && text[8] === "{" && expected !== "safetensors")
    return "a safetensors file; name it model.safetensors";
  return undefined;
}
