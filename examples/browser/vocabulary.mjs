// What tokens say: the strings of a tokenizer.json, whose vocabulary writes every byte as one visible character.

/** The characters of bytes, as every byte-level tokenizer has them: those that can be seen stand for themselves, the others follow from U+0100 on. */
const BYTE_OF = (() => {
  const seen = (/** @type {number} */ byte) =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
  /** @type {Map<string, number>} */
  const bytes = new Map();
  let next = 0x100;
  for (let byte = 0; byte < 256; byte++) bytes.set(String.fromCodePoint(seen(byte) ? byte : next++), byte);
  return bytes;
})();

export class Vocabulary {
  /** @param {{ model: { vocab: Record<string, number> }, added_tokens?: { id: number, content: string }[] }} tokenizer what tokenizer.json holds */
  constructor({ model, added_tokens = [] }) {
    /** @type {Map<number, Uint8Array<ArrayBuffer>>} */
    this.bytes = new Map();
    for (const [token, id] of Object.entries(model.vocab)) {
      const bytes = [...token].map((character) => BYTE_OF.get(character));
      const known = bytes.every((byte) => byte !== undefined);
      this.bytes.set(id, known ? Uint8Array.from(bytes) : new TextEncoder().encode(token));
    }
    for (const { id, content } of added_tokens) this.bytes.set(id, new TextEncoder().encode(content));
  }

  /**
   * One token's text; one that is a part of a character is shown as its bytes.
   *
   * @param {number} id
   */
  token(id) {
    const bytes = this.bytes.get(id);
    if (!bytes) return `#${id}`;
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    } catch {
      return Array.from(bytes, (byte) => `<${byte.toString(16).padStart(2, "0")}>`).join("");
    }
  }

  /** @param {readonly number[]} ids */
  text(ids) {
    const decoder = new TextDecoder();
    return ids.map((id) => decoder.decode(this.bytes.get(id), { stream: true })).join("") + decoder.decode();
  }
}
