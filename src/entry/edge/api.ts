/** What both edge entries export besides `Janus`. */

export type { PixelArray } from "../../image/pixels.js";
export { type AssetsFetcher, assetsSource } from "../../weights/assets-source.js";
export { type ObjectBucket, r2Source, type StoredContent, type StoredObject } from "../../weights/r2-source.js";
export * from "../api.js";
export type { LoadOptions } from "../options.js";
export type { DecodePicture, Decoders } from "./image-input.js";
export type { EdgeJanus, EdgeLoadOptions } from "./janus.js";
