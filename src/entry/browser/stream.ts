/** Memory budgets, and weights that come and go: a part that is imported when it is first needed. */
import * as plan from "../stream-plan.js";
import * as weights from "../streamed-weights.js";
import { provide } from "./parts.js";

export * from "./index.js";

provide("stream", { ...plan, ...weights });
