import { JanusError } from "janus-wasm";
import { RETRY_AFTER } from "./limits.mjs";

/** @type {Record<number, string>} */
const TITLES = {
  400: "Bad Request",
  404: "Not Found",
  405: "Method Not Allowed",
  406: "Not Acceptable",
  408: "Request Timeout",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  422: "Unprocessable Content",
  429: "Too Many Requests",
  499: "Client Closed Request",
  500: "Internal Server Error",
  503: "Service Unavailable",
};

/** What a request is refused with: RFC 9457. */
export class Problem extends Error {
  /**
   * @param {number} status @param {string} detail
   * @param {{ code?: string, headers?: Record<string, string> }} [more]
   */
  constructor(status, detail, { code, headers = {} } = {}) {
    super(detail);
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

/**
 * The status that an error of the library means for a client: what was sent cannot be used, or the model cannot be at the moment.
 * @param {unknown} error
 */
export function asProblem(error) {
  if (error instanceof Problem) return error;
  if (!(error instanceof JanusError)) {
    console.error(error);
    return new Problem(500, "something unexpected happened; it was logged");
  }
  const { code, message, origin } = error;
  const input = origin === undefined || origin === "input";
  if (code === "E_UNSUPPORTED" && origin === "input") return new Problem(415, message, { code });
  if (code === "E_PROMPT" || code === "E_IMAGE" || (code === "E_SHAPE" && input))
    return new Problem(422, message, { code });
  if (code === "E_NETWORK" || code === "E_OOM" || code === "E_DISPOSED" || code === "E_IO") {
    return new Problem(503, message, { code, headers: { "retry-after": RETRY_AFTER } });
  }
  console.error(error);
  return new Problem(500, message, { code });
}

/** @param {Problem} problem */
export function problemResponse({ status, message, code, headers }) {
  const body = { type: "about:blank", title: TITLES[status], status, detail: message, ...(code && { code }) };
  return new Response(JSON.stringify(body), {
    status,
    headers: { "content-type": "application/problem+json", ...headers },
  });
}
