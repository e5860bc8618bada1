import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Exchange, type HubRequest } from "./hub-exchange.js";
import { type FaultRule, Faults } from "./hub-faults.js";
import { type Files, findFile, listFiles, type ServedFile } from "./hub-files.js";

export interface HubRepo {
  readonly files: Files;
  /** 40 hexadecimal digits. */
  readonly commit?: string;
  /** Names of revisions besides the commit itself; `main` is one unless this is given. */
  readonly revisions?: readonly string[];
  /** What a private repository wants to see as a bearer token. */
  readonly token?: string;
  /** Which files lie elsewhere, behind a redirect; weights by default. */
  readonly lfs?: (path: string) => boolean;
}

const WEIGHTS = /\.(safetensors|bin|gguf|pt|npz)$/;

/**
 * A server on loopback that speaks the hub's protocol, and misbehaves on request. Two origins: the hub's own, and one for large files, which the hub
 * redirects to. `/<owner>/<name>/resolve/<revision>/<path>` and `/api/models/<owner>/<name>[/revision/<revision>]` are the hub's;
 * `/plain/<owner>/<name>/<path>` is the same file as a static server has it. What it is asked, and what it sends, is in `requests`.
 */
export class HubServer {
  readonly requests: HubRequest[] = [];
  readonly #repos: ReadonlyMap<string, HubRepo>;
  readonly #faults = new Faults();
  readonly #hub: Server;
  readonly #cdn: Server;
  #open = 0;
  /** The most requests that were under way at once. */
  mostAtOnce = 0;

  private constructor(repos: Readonly<Record<string, HubRepo>>) {
    this.#repos = new Map(Object.entries(repos));
    this.#hub = createServer((request, response) => this.#accept("hub", request, response));
    this.#cdn = createServer((request, response) => this.#accept("cdn", request, response));
  }

  static async start(repos: Readonly<Record<string, HubRepo>>): Promise<HubServer> {
    const server = new HubServer(repos);
    for (const one of [server.#hub, server.#cdn])
      await new Promise<void>((resolve) => one.listen(0, "127.0.0.1", resolve));
    return server;
  }

  /** Runs `work` with a server, which is closed afterwards. */
  static async with<T>(repos: Readonly<Record<string, HubRepo>>, work: (server: HubServer) => Promise<T>): Promise<T> {
    const server = await HubServer.start(repos);
    try {
      return await work(server);
    } finally {
      await server.close();
    }
  }

  /** The hub's endpoint, without a slash at its end. */
  get url(): string {
    return `http://127.0.0.1:${(this.#hub.address() as AddressInfo).port}`;
  }

  /** Where large files lie. */
  get cdnUrl(): string {
    return `http://127.0.0.1:${(this.#cdn.address() as AddressInfo).port}`;
  }

  /** Where a static server has a repository's files. */
  plain(repo: string): string {
    return `${this.url}/plain/${repo}/`;
  }

  resolve(repo: string, revision = "main"): string {
    return `${this.url}/${repo}/resolve/${revision}/`;
  }

  commit(repo: string): string {
    return commitOf(repo, this.#repos.get(repo)!);
  }

  /** Adds a rule; those that were there before come first. */
  misbehave(rule: FaultRule): void {
    this.#faults.add(rule);
  }

  behave(): void {
    this.#faults.clear();
  }

  /** Bytes of all bodies sent, of files that match. */
  sent(path: RegExp = /./): number {
    return this.requests.filter((one) => path.test(one.path)).reduce((sum, one) => sum + one.sent, 0);
  }

  async close(): Promise<void> {
    for (const one of [this.#hub, this.#cdn]) {
      one.closeAllConnections();
      await new Promise((resolve) => one.close(resolve));
    }
  }

  #accept(at: "hub" | "cdn", request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? "/", this.url);
    const { method = "GET", headers } = request;
    const path = decodeURIComponent(url.pathname);
    const entry: HubRequest = {
      at,
      method,
      path,
      query: url.search,
      range: headers.range,
      headers,
      status: 0,
      sent: 0,
    };
    this.requests.push(entry);
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.#open);
    response.on("close", () => this.#open--);
    const fault = this.#faults.due(entry);
    const exchange = new Exchange(entry, request, response, fault);
    const answer = at === "cdn" ? this.#large(exchange) : this.#answer(exchange);
    answer.catch((error: unknown) => response.destroy(error as Error));
  }

  async #answer(exchange: Exchange): Promise<void> {
    const { path } = exchange.entry;
    const plain = /^\/plain\/([^/]+\/[^/]+)\/(.+)$/.exec(path);
    if (plain) {
      const file = this.#file(plain[1]!, plain[2]!);
      return file ? exchange.file(file, { etag: await file.sha256() }) : exchange.nothing(404);
    }
    const api = /^\/api\/models\/([^/]+\/[^/]+)(?:\/revision\/(.+))?$/.exec(path);
    if (api) return this.#describe(exchange, api[1]!, api[2] ?? "main");
    const resolve = /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(path);
    if (resolve) return this.#resolve(exchange, resolve[1]!, resolve[2]!, resolve[3]!);
    return exchange.nothing(404);
  }

  #file(repo: string, path: string): ServedFile | undefined {
    const files = this.#repos.get(repo)?.files;
    return files && findFile(files, path);
  }

  /** The repository at a revision; what the hub says when there is none, or none for this caller, is answered. */
  async #admit(exchange: Exchange, name: string, revision: string): Promise<HubRepo | undefined> {
    const repo = this.#repos.get(name);
    const bearer = exchange.request.headers.authorization;
    // The hub does not tell a stranger which private repositories there are.
    if (!repo || (repo.token !== undefined && bearer === undefined)) {
      const message = "Invalid username or password.";
      await exchange.nothing(401, { "x-error-code": "RepoNotFound", "x-error-message": message });
    } else if (repo.token !== undefined && bearer !== `Bearer ${repo.token}`) {
      await exchange.nothing(403, { "x-error-code": "GatedRepo", "x-error-message": "Access is restricted." });
    } else if (![commitOf(name, repo), ...(repo.revisions ?? ["main"])].includes(decodeURIComponent(revision))) {
      const message = `Invalid rev id: ${revision}`;
      await exchange.nothing(404, { "x-error-code": "RevisionNotFound", "x-error-message": message });
    } else return repo;
    return undefined;
  }

  async #describe(exchange: Exchange, name: string, revision: string): Promise<void> {
    const repo = await this.#admit(exchange, name, revision);
    if (!repo) return;
    const siblings = listFiles(repo.files).map((rfilename) => ({ rfilename }));
    const described = { _id: "0", id: name, modelId: name, sha: commitOf(name, repo), siblings };
    const about = {
      private: repo.token !== undefined,
      gated: false,
      disabled: false,
      tags: [],
      downloads: 0,
      likes: 0,
    };
    await exchange.json({ ...described, ...about });
  }

  async #resolve(exchange: Exchange, name: string, revision: string, path: string): Promise<void> {
    const repo = await this.#admit(exchange, name, revision);
    if (!repo) return;
    const commit = commitOf(name, repo);
    const file = findFile(repo.files, path);
    if (!file) {
      const message = "Entry not found";
      return exchange.nothing(404, {
        "x-repo-commit": commit,
        "x-error-code": "EntryNotFound",
        "x-error-message": message,
      });
    }
    const large = repo.lfs ?? ((name: string) => WEIGHTS.test(name));
    if (!large(path)) return exchange.file(file, { etag: await file.gitSha1(), extra: { "x-repo-commit": commit } });
    const sha256 = await file.sha256();
    await exchange.moved(`${this.cdnUrl}/${name}/${encodeURIComponent(path)}?Signature=of-${sha256.slice(0, 8)}`, {
      "x-repo-commit": commit,
      "x-linked-etag": `"${sha256}"`,
      "x-linked-size": `${file.size}`,
      etag: `"${sha256}"`,
    });
  }

  /** Storage of large files: it knows no tokens, and names content in its own way. */
  async #large(exchange: Exchange): Promise<void> {
    const [, name, path] = /^\/([^/]+\/[^/]+)\/(.+)$/.exec(exchange.entry.path) ?? [];
    const file = this.#file(name ?? "", path ?? "");
    // Signatures are of GET and HEAD alike; a token besides is refused, as S3 does.
    if (exchange.request.headers.authorization !== undefined) return exchange.nothing(400);
    if (!file || !exchange.entry.query.startsWith("?Signature=")) return exchange.nothing(403);
    await exchange.file(file, { etag: `${(await file.sha256()).slice(0, 32)}-7` });
  }
}

function commitOf(name: string, repo: HubRepo): string {
  return repo.commit ?? createHash("sha1").update(name).digest("hex");
}
