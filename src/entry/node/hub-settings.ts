import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { JanusError, quote } from "../../errors.js";
import { packageVersion } from "./version.js";

/** What the environment says of model hubs, by the names and rules of Python's huggingface_hub. */
export interface HubSettings {
  /** HF_ENDPOINT, without a slash at its end. */
  readonly endpoint: string;
  /** Hugging Face's own cache: HF_HUB_CACHE, or `hub` in HF_HOME. */
  readonly hubCache: string;
  /** The store of ranges: `ranges` in JANUS_WASM_CACHE, or in `janus-wasm` in HF_HOME. */
  readonly ranges: string;
  /** HF_HUB_OFFLINE: nothing is asked of any server. */
  readonly offline: boolean;
  /** Headers of requests to a hub: who asks, and the token for the endpoint's own origin and no other. A function, so that no token is printed with the rest. */
  readonly headers: (url: URL) => Record<string, string>;
}

/** What to do where no server is asked, and something is not here. */
export const OFFLINE_STEP = "unset HF_HUB_OFFLINE, or fetch them with janus pull";

const DEFAULT_ENDPOINT = "https://huggingface.co";

/** Reads the environment, and the token's file. E_USAGE for a setting that cannot be used; a token is never in a message. */
export async function readHubSettings(env: NodeJS.ProcessEnv = process.env): Promise<HubSettings> {
  const caches = given(env, "XDG_CACHE_HOME") ?? join(homedir(), ".cache");
  const home = folder(given(env, "HF_HOME") ?? join(caches, "huggingface"));
  const endpoint = readEndpoint(given(env, "HF_ENDPOINT") ?? DEFAULT_ENDPOINT);
  const token = await readToken(env, home);
  const agent = { "user-agent": userAgent() };
  const { origin } = new URL(endpoint);
  return {
    endpoint,
    hubCache: folder(given(env, "HF_HUB_CACHE") ?? given(env, "HUGGINGFACE_HUB_CACHE") ?? join(home, "hub")),
    ranges: join(folder(given(env, "JANUS_WASM_CACHE") ?? join(home, "janus-wasm")), "ranges"),
    offline: isTrue(given(env, "HF_HUB_OFFLINE") ?? given(env, "TRANSFORMERS_OFFLINE")),
    headers: (url) =>
      token !== undefined && url.origin === origin ? { ...agent, authorization: `Bearer ${token}` } : agent,
  };
}

/** The one thing a server is told about who asks. */
export function userAgent(): string {
  return `janus-wasm/${packageVersion()}; node/${process.versions.node}`;
}

function readEndpoint(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password || url.search || url.hash)
    throw usage("HF_ENDPOINT", "an http or https URL", quote(url?.password ? `${url.protocol}//…@${url.host}` : text));
  return url.href.replace(/\/+$/, "");
}

/** HF_TOKEN, or the file where `hf auth login` leaves one. */
async function readToken(env: NodeJS.ProcessEnv, home: string): Promise<string | undefined> {
  if (isTrue(given(env, "HF_HUB_DISABLE_IMPLICIT_TOKEN"))) return undefined;
  const path = folder(given(env, "HF_TOKEN_PATH") ?? join(home, "token"));
  const said = given(env, "HF_TOKEN") ?? given(env, "HUGGING_FACE_HUB_TOKEN");
  // A file that is absent, or somebody else's, is no token: a hub that wants one says so.
  const token = (said ?? (await readFile(path, "utf8").catch(() => ""))).trim();
  if (token === "") return undefined;
  // fetch would put it into its message.
  if (!/^[\x21-\x7e]{1,1000}$/.test(token))
    throw usage(said === undefined ? quote(path, 200) : "HF_TOKEN", "a token", "characters that no token has");
  return token;
}

/** A variable that is set to something. */
function given(env: NodeJS.ProcessEnv, name: string): string | undefined {
  return env[name]?.trim() || undefined;
}

function isTrue(value: string | undefined): boolean {
  return /^(1|on|yes|true)$/i.test(value ?? "");
}

function folder(path: string): string {
  return resolve(path.replace(/^~(?=[/\\]|$)/, homedir()));
}

function usage(name: string, expected: string, got: string): JanusError {
  return new JanusError("E_USAGE", `opening a model: expected ${expected} in ${name}, got ${got}; set it anew`, {
    origin: "usage",
  });
}
