import { STORAGE, type Storage } from "#dist/wasm/abi.js";

/** dst[i] = src[i] as float32, bit patterns in (u32 for f32, u16 else), bit pattern out. */
export function widen(
  dst: Uint32Array,
  src: Uint16Array | Uint32Array,
  storage: Storage,
  begin: number,
  end: number,
): void {
  for (let i = begin; i < end; i++) dst[i] = widenBits(src[i]!, storage);
}

export function widenBits(bits: number, storage: Storage): number {
  if (storage === STORAGE.f32) return bits;
  if (storage === STORAGE.bf16) return (bits << 16) >>> 0;
  const sign = bits >> 15;
  const exponent = (bits >> 10) & 31;
  const mantissa = bits & 1023;
  if (exponent === 31) return ((sign << 31) | 0x7f800000 | (mantissa << 13)) >>> 0;
  const magnitude = exponent === 0 ? mantissa * 2 ** -24 : (1 + mantissa / 1024) * 2 ** (exponent - 15);
  return new Uint32Array(new Float32Array([sign ? -magnitude : magnitude]).buffer)[0]!;
}
