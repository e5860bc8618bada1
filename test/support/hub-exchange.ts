import type { IncomingMessage, ServerResponse } from "node:http";
import { gzipSync } from "node:zlib";
import { type Fault, PAGE } from "./hub-faults.js";
import { fileOfBytes, type ServedFile } from "./hub-files.js";

/** A request, and what was answered. */
export interface HubRequest {
  readonly at: "hub" | "cdn";
  readonly method: string;
  /** Path of the URL, decoded, and its query. */
  readonly path: string;
  readonly query: string;
  readonly range: string | undefined;
  readonly headers: IncomingMessage["headers"];
  status: number;
  /** Bytes of the body that were handed to the connection. */
  sent: number;
}

/** What the hub, and storage behind it, lets pages of other origins read. */
const CORS: Readonly<Record<string, string>> = {
  "access-control-allow-origin": "*",
  "access-control-expose-headers":
    "X-Repo-Commit,X-Error-Code,X-Error-Message,ETag,Accept-Ranges,Content-Range,X-Linked-Size,X-Linked-ETag",
};

/** Bytes of a body that are written at a time. */
const PIECE_BYTES = 256 << 10;

/** One request and its answer. */
export class Exchange {
  readonly entry: HubRequest;
  readonly request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #fault: Fault | undefined;

  constructor(entry: HubRequest, request: IncomingMessage, response: ServerResponse, fault: Fault | undefined) {
    this.entry = entry;
    this.request = request;
    this.#response = response;
    this.#fault = fault;
  }

  async nothing(status: number, headers: Record<string, string> = {}): Promise<void> {
    if (await this.#misanswer()) return;
    await this.#send(status, headers, fileOfBytes(status === 404 ? "Not found" : "", "text/plain"));
  }

  async json(value: object): Promise<void> {
    if (await this.#misanswer()) return;
    await this.#send(200, {}, fileOfBytes(JSON.stringify(value), "application/json"));
  }

  async moved(location: string, headers: Record<string, string>): Promise<void> {
    if (await this.#misanswer()) return;
    await this.#send(302, { location, ...headers }, fileOfBytes(`Found. Redirecting to ${location}`, "text/plain"));
  }

  /** A file or a range of it, by RFC 9110: If-Range and If-Match included. */
  async file(asked: ServedFile, { etag, extra = {} }: { etag: string; extra?: Record<string, string> }): Promise<void> {
    if (await this.#misanswer()) return;
    const fault = this.#fault;
    const file = fault?.kind === "content" ? fileOfBytes(fault.bytes, asked.type) : asked;
    const own = fault?.kind === "content" && !fault.sameEtag ? await file.sha256() : etag;
    const tag = fault?.kind === "etag" ? fault.etag : `"${own}"`;
    const headers: Record<string, string> = {
      "accept-ranges": "bytes",
      ...(tag !== undefined && { etag: tag }),
      ...(fault?.kind === "etag" && fault.modified && { "last-modified": fault.modified }),
      ...extra,
    };
    const { "if-match": match, "if-range": condition, range } = this.request.headers;
    if (match !== undefined && match !== tag) return this.#send(412, {}, fileOfBytes("", "text/plain"));
    const strong = tag !== undefined && !tag.startsWith("W/");
    const ranged = fault?.kind !== "whole" && (condition === undefined || (strong && condition === tag));
    const span = ranged ? /^bytes=(\d+)-(\d*)$/.exec(range ?? "") : null;
    if (!span) return this.#send(200, headers, file);
    const first = Number(span[1]);
    const last = Math.min(span[2] ? Number(span[2]) : Number.POSITIVE_INFINITY, file.size - 1);
    if (first > last)
      return this.#send(416, { "content-range": `bytes */${file.size}` }, fileOfBytes("", "text/plain"));
    const count = fault?.kind === "short-range" ? Math.min(fault.bytes, last - first + 1) : last - first + 1;
    const part = await file.read(first, count);
    const stated = fault?.kind === "content-range" ? fault.value : `bytes ${first}-${first + count - 1}/${file.size}`;
    if (stated !== undefined) headers["content-range"] = stated;
    return this.#send(206, headers, fileOfBytes(part, file.type));
  }

  /** Faults that replace the answer, whatever was asked for. */
  async #misanswer(): Promise<boolean> {
    const fault = this.#fault;
    if (fault?.kind === "status") {
      await this.#send(fault.status, fault.headers ?? {}, fileOfBytes(fault.body ?? "", "text/plain"));
    } else if (fault?.kind === "page") {
      await this.#send(200, {}, fileOfBytes(PAGE, fault.type ?? "text/html; charset=utf-8"));
    } else if (fault?.kind === "redirect") {
      const location = fault.to === "itself" ? (this.request.url ?? "/") : fault.to;
      await this.#send(fault.status ?? 302, { location }, fileOfBytes("", "text/plain"));
    } else if (fault?.kind === "cut" && fault.beforeHeaders) {
      this.#response.socket?.resetAndDestroy();
    } else return fault?.kind === "stall" && fault.beforeHeaders === true;
    return true;
  }

  async #send(status: number, headers: Record<string, string>, body: ServedFile): Promise<void> {
    const response = this.#response;
    const fault = this.#fault;
    const whole = fault?.kind === "gzip" ? fileOfBytes(gzipSync(await body.read(0, body.size)), body.type) : body;
    const extra = fault?.kind === "length" ? fault.extra : 0;
    this.entry.status = status;
    response.writeHead(status, {
      ...CORS,
      "content-type": body.type,
      ...(fault?.kind === "gzip" && { "content-encoding": "gzip" }),
      ...(extra === 0 && fault?.kind !== "no-length" && { "content-length": `${whole.size}` }),
      ...headers,
    });
    if (this.request.method === "HEAD" || status === 304) {
      response.end();
      return;
    }
    const limit = fault?.kind === "stall" || fault?.kind === "cut" ? fault.after : Number.POSITIVE_INFINITY;
    const step = fault?.kind === "slow" ? fault.bytes : PIECE_BYTES;
    const end = Math.min(whole.size + Math.min(extra, 0), limit);
    for (let at = 0; at < end && !response.destroyed; at += step) {
      if (fault?.kind === "slow" && at > 0) await new Promise((resolve) => setTimeout(resolve, fault.everyMs));
      await this.#write(await whole.read(at, Math.min(step, end - at)));
    }
    if (fault?.kind === "stall") return;
    if (fault?.kind === "cut") {
      // What was written must arrive before the reset does.
      await new Promise((resolve) => setTimeout(resolve, 20));
      response.socket?.resetAndDestroy();
      return;
    }
    if (extra > 0) await this.#write(new Uint8Array(extra));
    response.end();
  }

  async #write(bytes: Uint8Array): Promise<void> {
    const { entry } = this;
    const response = this.#response;
    entry.sent += bytes.length;
    if (response.write(bytes) || response.destroyed) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        response.off("drain", done);
        response.off("close", done);
        resolve();
      };
      response.on("drain", done);
      response.on("close", done);
    });
  }
}
