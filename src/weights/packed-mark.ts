/** The value of `format` in `__metadata__` of a packed file. */
export const PACKED_FORMAT = "janus-packed";

/** Whether a file is one of a packed checkpoint. */
export function isPacked({ metadata }: { readonly metadata: ReadonlyMap<string, string> }): boolean {
  return metadata.get("format") === PACKED_FORMAT;
}
