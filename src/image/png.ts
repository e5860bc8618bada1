import type { RgbImage } from "./pixels.js";
export async function decodePng(_bytes: Uint8Array<ArrayBuffer>, label: string): Promise<RgbImage> {
  throw new Error(label);
}
