/** JSON with typed arrays in it, for values that cross from one engine to another. It runs in both. */

const ARRAYS = { Uint8Array, Uint8ClampedArray, Float32Array, BigInt64Array } as const;
type ArrayName = keyof typeof ARRAYS;

interface Packed {
  readonly array: ArrayName;
  readonly base64: string;
}

export function stringifyTyped(value: unknown): string {
  return JSON.stringify(value, (_, one: unknown) => {
    if (!ArrayBuffer.isView(one)) return one;
    const array = Object.prototype.toString.call(one).slice(8, -1);
    if (!(array in ARRAYS)) throw new Error(`${array} does not cross`);
    return { array, base64: toBase64(new Uint8Array(one.buffer, one.byteOffset, one.byteLength)) };
  });
}

export function parseTyped(text: string): unknown {
  return JSON.parse(text, (_, one: unknown) => {
    if (typeof one !== "object" || one === null || !("base64" in one)) return one;
    const { array, base64 } = one as Packed;
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    return new ARRAYS[array](bytes.buffer);
  });
}

function toBase64(bytes: Uint8Array): string {
  const PIECE = 3 << 13;
  let base64 = "";
  for (let at = 0; at < bytes.length; at += PIECE)
    base64 += btoa(String.fromCharCode(...bytes.subarray(at, at + PIECE)));
  return base64;
}
