/** Packed checkpoints and their checksums: a part that is imported when it is first needed. */
import * as packed from "../../weights/packed-checkpoint.js";
import { provide } from "./parts.js";

export * from "./index.js";

provide("packed", packed);
