import { JanusError, quote } from "../../errors.js";

/** What most pages never need, in files of their own: each is imported when it is first needed. */
export interface Parts {
  readonly packed: typeof import("../../weights/packed-checkpoint.js");
  readonly torch: typeof import("../../weights/torch-checkpoint.js");
  readonly stream: typeof import("../stream-plan.js") & typeof import("../streamed-weights.js");
}

/** Written out one by one, for bundlers. */
const IMPORTS: Readonly<Record<keyof Parts, () => Promise<unknown>>> = {
  packed: () => import("./packed.js"),
  torch: () => import("./torch.js"),
  stream: () => import("./stream.js"),
};

const provided: Partial<Record<keyof Parts, unknown>> = {};

/** What a part's file does when it runs. */
export function provide<Name extends keyof Parts>(name: Name, part: Parts[Name]): void {
  provided[name] = part;
}

/** @throws JanusError E_IO where the file cannot be imported: a service worker imports nothing later. */
export async function part<Name extends keyof Parts>(name: Name): Promise<Parts[Name]> {
  try {
    if (!provided[name]) await IMPORTS[name]();
  } catch (cause) {
    throw new JanusError(
      "E_IO",
      `loading: expected to import ${name}.js of the package, got ${quote(String(cause), 200)}; import janus-wasm/static in place of janus-wasm (a service worker must), or put the file beside the others`,
      { cause, origin: "usage" },
    );
  }
  return provided[name] as Parts[Name];
}
