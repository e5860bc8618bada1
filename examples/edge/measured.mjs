// In front of the worker when it is measured: counts WebAssembly memories, which V8's figures leave out, and tells them at GET /memories.
/** @type {Set<WeakRef<WebAssembly.Memory>>} */
const memories = new Set();

WebAssembly.Memory = new Proxy(WebAssembly.Memory, {
  construct(target, args) {
    const memory = Reflect.construct(target, args);
    memories.add(new WeakRef(memory));
    return memory;
  },
});
WebAssembly.Instance = new Proxy(WebAssembly.Instance, {
  construct(target, args) {
    return noted(Reflect.construct(target, args));
  },
});
const { instantiate } = WebAssembly;
WebAssembly.instantiate = /** @type {any} */ (
  async (/** @type {WebAssembly.Module} */ module, /** @type {WebAssembly.Imports} */ imports) =>
    noted(await instantiate(module, imports))
);

/** Counts what a module brings along. @param {WebAssembly.Instance} instance */
function noted(instance) {
  for (const exported of Object.values(instance.exports)) {
    if (exported instanceof WebAssembly.Memory && ![...memories].some((known) => known.deref() === exported)) {
      memories.add(new WeakRef(exported));
    }
  }
  return instance;
}

/** Bytes of every memory that is not collected. */
const sizes = () => [...memories].map((memory) => memory.deref()?.buffer.byteLength ?? 0);

export default {
  /** @param {Request} request @param {any} env @param {any} context */
  async fetch(request, env, context) {
    if (new URL(request.url).pathname === "/memories") return Response.json(sizes());
    const { default: worker } = await import("./worker.mjs");
    return worker.fetch(request, env, context);
  },
};
