using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "worker", worker = .worker),
    # In the place of static assets or a bucket; whatever serves files will do.
    (name = "model", disk = (path = "build/model")),
  ],
  sockets = [(name = "http", address = "127.0.0.1:8787", http = (), service = "worker")],
);

const worker :Workerd.Worker = (
  modules = [
    (name = "worker.js", esModule = embed "build/worker.js"),
    (name = "simd.wasm", wasm = embed "build/simd.wasm"),
    (name = "relaxed.wasm", wasm = embed "build/relaxed.wasm"),
    (name = "mozjpeg_dec.wasm", wasm = embed "build/mozjpeg_dec.wasm"),
    (name = "webp_dec.wasm", wasm = embed "build/webp_dec.wasm"),
  ],
  bindings = [
    (name = "ASSETS", service = "model"),
    (name = "MODEL_ID", text = "janus-demo"),
  ],
  compatibilityDate = "2026-11-01",
  # So that request.signal tells of a client that has left before its turn.
  compatibilityFlags = ["enable_request_signal"],
);
