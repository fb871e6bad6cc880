// What a browser test stands on: the real program with a data directory of its own, an upstream that answers as
// the test says, and Chromium. Everything is on loopback, on free ports, and ends with the test.
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createSocket, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import axe from "axe-core";
import { chromium, type Browser, type BrowserContext, type BrowserContextOptions, type Page } from "playwright-core";

const binary = process.env.SLUICE_BIN ?? new URL("../../bin/sluice", import.meta.url).pathname;

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const probe = createSocket();
  await new Promise<void>((done) => probe.listen(0, "127.0.0.1", done));
  const { port } = probe.address() as AddressInfo;
  await new Promise((done) => probe.close(done));
  return port;
}

export interface Recorded {
  method: string;
  url: string;
  headers: IncomingMessage["headers"];
  body: string;
}

export type Script = (request: Recorded, answer: ServerResponse) => void | Promise<void>;

/** An upstream whose answers the test scripts; it keeps what it was asked. */
export class Upstream {
  readonly asked: Recorded[] = [];
  script: Script = (_, answer) => {
    answer.writeHead(404).end();
  };
  private constructor(
    private readonly server: Server,
    readonly url: string,
  ) {}

  static async start(): Promise<Upstream> {
    let self: Upstream | undefined;
    const server = createServer((request, answer) => {
      const chunks: Buffer[] = [];
      request.on("data", (c: Buffer) => chunks.push(c));
      request.on("end", () => {
        const recorded = { method: request.method!, url: request.url!, headers: request.headers, body: Buffer.concat(chunks).toString() };
        self!.asked.push(recorded);
        void self!.script(recorded, answer);
      });
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    self = new Upstream(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    return self;
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }
}

export interface StackOptions {
  /** YAML added to the configuration file. */
  config?: string;
  env?: Record<string, string>;
  /** Command and its flags in place of serve; {port} in them is the port to listen on. */
  args?: string[];
}

/** The running program. */
export class Stack {
  private child?: ChildProcess;
  output = "";
  private constructor(
    readonly dir: string,
    readonly port: number,
    readonly url: string,
    readonly upstream: Upstream,
    private readonly options: StackOptions,
  ) {}

  static async start(options: StackOptions = {}): Promise<Stack> {
    const upstream = await Upstream.start();
    const port = await freePort();
    const dir = mkdtempSync(join(tmpdir(), "sluice-ui-"));
    const stack = new Stack(dir, port, `http://127.0.0.1:${port}`, upstream, options);
    await stack.run();
    return stack;
  }

  /** Starts the program on the data that is there: for tests that end it in between. */
  async run() {
    const file = join(this.dir, "sluice.yaml");
    const providers = ["openai", "anthropic", "google-ai-studio"].map((slug) => `  ${slug}:\n    base_url: ${this.upstream.url}/${slug}\n`).join("");
    writeFileSync(file, `listen: 127.0.0.1:${this.port}\ndata_dir: ${join(this.dir, "data")}\nproviders:\n${providers}${this.options.config ?? ""}`);
    const child = spawn(binary, [...(this.options.args ?? ["serve"]).map((arg) => arg.replace("{port}", String(this.port))), "--config", file], {
      env: { PATH: process.env.PATH, HOME: this.dir, NO_COLOR: "1", ...this.options.env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.child = child;
    const keep = (chunk: Buffer) => (this.output += chunk.toString());
    child.stdout!.on("data", keep);
    child.stderr!.on("data", keep);
    await until(async () => {
      if (child.exitCode !== null) throw new Error(`the program ended with ${child.exitCode}:\n${this.output}`);
      return (await fetch(`${this.url}${this.basePath}/readyz`).catch(() => undefined))?.ok;
    }, "the program is ready");
  }

  private get basePath(): string {
    return /^base_path:\s*(\S+)/m.exec(this.options.config ?? "")?.[1] ?? "";
  }

  /** Ends the program as an operator would, or at once. */
  async end(signal: "SIGTERM" | "SIGKILL" = "SIGTERM") {
    const child = this.child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((done) => child.once("exit", done));
    child.kill(signal);
    await ended;
  }

  async stop() {
    await this.end();
    await this.upstream.stop();
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** Calls the management API of the account default and returns the result; path begins after ai-gateway. */
  async api<T = unknown>(path: string, init: RequestInit & { json?: unknown } = {}): Promise<T> {
    const headers: Record<string, string> = { "X-Sluice-UI": "1", ...(init.headers as Record<string, string>) };
    if (init.json !== undefined) headers["Content-Type"] = "application/json";
    const answer = await fetch(`${this.url}${this.basePath}/client/v4/accounts/default/ai-gateway${path}`, { ...init, headers, body: init.json === undefined ? init.body : JSON.stringify(init.json) });
    const parsed = (await answer.json()) as { success: boolean; result: T; errors: unknown };
    if (!parsed.success) throw new Error(`${init.method ?? "GET"} ${path}: ${answer.status} ${JSON.stringify(parsed.errors)}`);
    return parsed.result;
  }

  /** Calls the gateway default as an application would. */
  async chat(options: { provider?: string; path?: string; model?: string; text?: string; stream?: boolean; headers?: Record<string, string>; body?: unknown } = {}): Promise<Response> {
    const body = options.body ?? { model: options.model ?? "echo-1", stream: options.stream, messages: [{ role: "user", content: options.text ?? "Hello" }] };
    return fetch(`${this.url}${this.basePath}/v1/default/default/${options.provider ?? "echo"}/${options.path ?? "chat/completions"}`, {
      method: "POST",
      headers: { "Content-Type": "application/json", ...options.headers },
      body: JSON.stringify(body),
    });
  }

  /** Address of a page: page("g/default/logs?q=status:error"). */
  page(path = ""): string {
    return `${this.url}${this.basePath}/ui/${path}`;
  }
}

/** Waits until a condition holds; it fails with its name after 20 s. */
export async function until<T>(condition: () => Promise<T | undefined | false> | T | undefined | false, what: string, limit = 20_000): Promise<T> {
  const end = Date.now() + limit;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`not within ${limit} ms: ${what}`);
    await new Promise((next) => setTimeout(next, 25));
  }
}

/** A browser whose pages must not complain: an error in the console, or a request to elsewhere, fails the test. */
export class Surfer {
  readonly complaints: string[] = [];
  private constructor(readonly browser: Browser) {}

  static async start(): Promise<Surfer> {
    const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
    return new Surfer(await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] }));
  }

  async context(stack: Stack, options: BrowserContextOptions = {}): Promise<BrowserContext> {
    const context = await this.browser.newContext({ viewport: { width: 1280, height: 800 }, locale: "en-US", timezoneId: "Europe/Paris", ...options });
    context.setDefaultTimeout(20_000);
    context.on("request", (r) => {
      const { protocol, host } = new URL(r.url());
      if (protocol.startsWith("http") && host !== new URL(stack.url).host) this.complaints.push(`request to ${r.url()}`);
    });
    context.on("weberror", (e) => this.complaints.push(e.error().message));
    context.on("console", (m) => {
      // The browser itself reports each answer over 399, which pages ask for on purpose.
      if (m.type() === "error" && !m.text().startsWith("Failed to load resource")) this.complaints.push(m.text());
    });
    return context;
  }

  async page(stack: Stack, path = "", options: BrowserContextOptions = {}): Promise<Page> {
    const page = await (await this.context(stack, options)).newPage();
    await page.goto(stack.page(path));
    return page;
  }

  /** Closes all pages. One that outlives its program would complain, in the middle of the next test, that it is gone. */
  async closePages() {
    for (const context of this.browser.contexts()) await context.close();
  }

  /** What pages complained of since the last call. */
  take(): string[] {
    return this.complaints.splice(0);
  }

  async stop() {
    await this.browser.close();
  }
}

/** What axe-core finds wrong on a page, one line each; none is wanted. The policy allows no foreign script, so that
 * axe comes by the debugger. */
export async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  return page.evaluate(async () => {
    const { axe } = window as unknown as { axe: typeof import("axe-core") };
    const found = await axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] });
    return found.violations.flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.target.join(" ")}: ${n.failureSummary?.split("\n").slice(1).join("; ")}`));
  });
}
