import { JanusError, quote } from "../../errors.js";
import { givenSource } from "../given-source.js";
import type { ModelInput, ModelSource } from "../host.js";
import { remoteName } from "../remote-name.js";
import { openRemote } from "./open-remote.js";
import type { BrowserOptions } from "./options.js";
import { pageUrl } from "./page-url.js";

/**
 * The storage that a model names: an http(s) URL, also relative to the page (`./`, `../` or `/` in front), or a hub id. Files and a WeightSource of the caller's own
 * are used as they are.
 *
 * @throws JanusError E_USAGE for what is no model; what opening a checkpoint on a server throws.
 */
export async function openModelSource(
  model: ModelInput,
  { hubUrl, store }: BrowserOptions,
  signal?: AbortSignal,
): Promise<ModelSource> {
  signal?.throwIfAborted();
  if (typeof model !== "string" && !(model instanceof URL)) return givenSource(model);
  const text = String(model);
  const name = remoteName(/^\.{0,2}\//.test(text) ? (pageUrl(text)?.href ?? text) : text);
  if (name === undefined)
    throw new JanusError(
      "E_USAGE",
      `opening ${quote(text, 200)}: expected an http(s) URL, ./ and a path of this site, or a hub id (owner/name); files are given as Files, Blobs or bytes by path`,
      { origin: "usage" },
    );
  return openRemote(name, { signal, store, endpoint: hubUrl === undefined ? undefined : hubEndpoint(hubUrl) });
}

function hubEndpoint(hubUrl: string | URL): string {
  const url = pageUrl(String(hubUrl));
  if (!url || !/^https?:$/.test(url.protocol) || url.search || url.hash)
    throw new JanusError("E_USAGE", "loading: hubUrl must be an http or https URL without a query, got another", {
      origin: "usage",
    });
  return url.href.replace(/\/+$/, "");
}
