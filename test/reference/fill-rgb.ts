export function fillRgb(
  dst: Uint8Array,
  red: number,
  green: number,
  blue: number,
  pixelBegin: number,
  pixelEnd: number,
): void {
  for (let pixel = pixelBegin; pixel < pixelEnd; pixel++) dst.set([red, green, blue], pixel * 3);
}
