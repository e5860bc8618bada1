/** Stable codes of every error the package throws on its own behalf; aborts reject with the signal's reason instead. */
export type ErrorCode =
  | "E_USAGE"
  | "E_IMAGE"
  | "E_PROMPT"
  | "E_SHAPE"
  | "E_IO"
  | "E_FORMAT"
  | "E_CONFIG"
  | "E_INTEGRITY"
  | "E_UNSUPPORTED"
  | "E_NUMERIC"
  | "E_OOM"
  | "E_NETWORK"
  | "E_DISPOSED"
  | "E_INTERNAL";

/**
 * Which side of the work an error of code E_SHAPE, E_IO or E_UNSUPPORTED belongs to: the same code means another exit status for a
 * user's input (3), a checkpoint or an output (4), and a flag (2).
 */
export type ErrorOrigin = "input" | "model" | "output" | "usage";

/**
 * The one error class. `message` is a single sentence: operation, what was expected, what was got, and the next step.
 *
 * @example throw new JanusError("E_PROMPT", `row 0: 2 placeholders but 1 image; give one image per <image_placeholder>`);
 */
export class JanusError extends Error {
  override readonly name = "JanusError";
  readonly code: ErrorCode;
  readonly origin: ErrorOrigin | undefined;

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; origin?: ErrorOrigin } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.origin = options.origin;
  }
}

/** A value in a message: quoted and cut, so that a hostile file cannot flood a terminal or smuggle control characters into it. */
export function quote(value: unknown, limit = 80): string {
  const text =
    typeof value === "string" ? JSON.stringify(value) : typeof value === "bigint" ? `${value}` : describe(value);
  return text.length > limit ? `${text.slice(0, limit)}… (${text.length} characters)` : text;
}

function describe(value: unknown): string {
  if (typeof value !== "object" || value === null) return String(value);
  try {
    return JSON.stringify(value) ?? typeof value;
  } catch {
    // Cyclic, a BigInt inside, or nested too deeply for either to be written out.
    return Object.prototype.toString.call(value);
  }
}
