/**
 * The 256 characters that ByteLevel writes bytes as, in no particular order: what is printable in Latin-1 stands for itself, the others follow from U+0100.
 *
 * Upstream: `bytes_to_unicode` of GPT-2's encoder.py.
 */
export const BYTE_ALPHABET: readonly string[] = [
  ...range(0x21, 0x7e),
  ...range(0xa1, 0xac),
  ...range(0xae, 0xff),
  ...range(0x100, 0x143),
];

function range(first: number, last: number): string[] {
  return Array.from({ length: last - first + 1 }, (_, i) => String.fromCharCode(first + i));
}
