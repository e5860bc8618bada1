/** PyTorch files: a part that is imported when it is first needed. */
import * as torch from "../../weights/torch-checkpoint.js";
import { provide } from "./parts.js";

export * from "./index.js";

provide("torch", torch);
