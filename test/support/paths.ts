import { fileURLToPath } from "node:url";

/** The project's root as seen from `build/test/support/`. */
export const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/** Recorded data: `golden("cases/one-image/case.json")`. */
export function golden(path = ""): string {
  return `${ROOT}test/golden/${path}`;
}
