/**
 * The segments of a path inside one checkpoint, as `WeightSource` takes them; undefined for one that is not relative, or that a file system or a URL
 * could read as a way out.
 */
export function pathSegments(path: string): readonly string[] | undefined {
  const segments = path.split("/");
  const leads = segments.some((segment) => segment === "" || segment === "." || segment === "..");
  return leads || path.includes("\\") || path.includes("\0") ? undefined : segments;
}
