/** How a server may misbehave; byte counts are of the body that it was going to send. */
export type Fault =
  /** Another status, as `{ status: 503, headers: { "retry-after": "1" } }`. */
  | {
      readonly kind: "status";
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
    }
  /** The whole file with 200, whatever range was asked for. */
  | { readonly kind: "whole" }
  /** A page with 200, whatever was asked for: what a portal, a login or a single-page application answers. */
  | { readonly kind: "page"; readonly type?: string }
  /** Other content, consistently: a changed file, a git-LFS pointer. Its ETag is another one unless `sameEtag`. */
  | { readonly kind: "content"; readonly bytes: Uint8Array | string; readonly sameEtag?: boolean }
  /** Says nothing more after so many bytes; `beforeHeaders` not even a status. The connection stays open. */
  | { readonly kind: "stall"; readonly after: number; readonly beforeHeaders?: boolean }
  /** Resets the connection after so many bytes; `beforeHeaders` without a status. */
  | { readonly kind: "cut"; readonly after: number; readonly beforeHeaders?: boolean }
  /** So many bytes at a time, with a pause between. */
  | { readonly kind: "slow"; readonly bytes: number; readonly everyMs: number }
  /** A Content-Range of its own, or none. */
  | { readonly kind: "content-range"; readonly value: string | undefined }
  /** So many bytes more (or, below zero, fewer) than Content-Range says, and no Content-Length. */
  | { readonly kind: "length"; readonly extra: number }
  /** Fewer bytes than were asked for, and a Content-Range that says so: a server may. */
  | { readonly kind: "short-range"; readonly bytes: number }
  /** The range, compressed, and labelled so. */
  | { readonly kind: "gzip" }
  /** Another ETag for the same content, a weak one, or none; with a Last-Modified where one is given. */
  | { readonly kind: "etag"; readonly etag: string | undefined; readonly modified?: string }
  /** No Content-Length: in an answer to HEAD, that is no size. */
  | { readonly kind: "no-length" }
  /** A redirect: to the same URL it is a loop. */
  | { readonly kind: "redirect"; readonly to: "itself" | string; readonly status?: number };

/** Which requests are answered with a fault: all that match, after the first `skip`, and at most `times`. */
export interface FaultRule {
  /** The end of the URL's path: `model.safetensors`. */
  readonly path?: string;
  readonly method?: "GET" | "HEAD";
  /** The hub itself, or where its large files lie. */
  readonly at?: "hub" | "cdn";
  readonly skip?: number;
  readonly times?: number;
  readonly fault: Fault;
}

export const PAGE =
  "<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Sign in to continue.</body></html>\n";

/** What git leaves in place of a large file that was not fetched. */
export function lfsPointer(sha256: string, size: number): string {
  return `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256}\nsize ${size}\n`;
}

/** The rules in force, and how often each has matched. */
export class Faults {
  #rules: { readonly rule: FaultRule; seen: number }[] = [];

  add(rule: FaultRule): void {
    this.#rules.push({ rule, seen: 0 });
  }

  clear(): void {
    this.#rules = [];
  }

  /** The fault of the first rule that is due. Every rule that matches counts the request. */
  due(request: { readonly method: string; readonly path: string; readonly at: "hub" | "cdn" }): Fault | undefined {
    let found: Fault | undefined;
    for (const entry of this.#rules) {
      const { path, method, at, skip = 0, times = Number.POSITIVE_INFINITY, fault } = entry.rule;
      if (path !== undefined && !request.path.endsWith(path)) continue;
      if ((method ?? request.method) !== request.method || (at ?? request.at) !== request.at) continue;
      entry.seen++;
      if (entry.seen > skip && entry.seen <= skip + times) found ??= fault;
    }
    return found;
  }
}
