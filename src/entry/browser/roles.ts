import type { MessageEnd } from "../message-worker.js";
import { serveCompute } from "../serve-compute.js";
import { serveTexts } from "../serve-texts.js";
import { servePictures } from "./serve-pictures.js";

/** What a worker may be for. */
export type Role = "compute" | "texts" | "pictures";

export const ROLES: Readonly<Record<Role, (end: MessageEnd) => void>> = {
  compute: serveCompute,
  texts: serveTexts,
  pictures: servePictures,
};
