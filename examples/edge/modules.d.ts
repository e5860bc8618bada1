/** A module that the host compiles. */
declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}

/** What is used of @jsquash, so that types are checked without it. */
declare module "@jsquash/*/decode.js" {
  export function init(
    module: WebAssembly.Module,
    overrides: {
      instantiateWasm(
        imports: WebAssembly.Imports,
        done: (instance: WebAssembly.Instance) => void,
      ): WebAssembly.Exports;
    },
  ): Promise<void>;
  export default function decode(bytes: ArrayBuffer): Promise<ImageData>;
}
