// The first minute: a request that lands, and the ways in which it does not.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Stack, Surfer, violations } from "./stack";

const sh = promisify(execFile);
const key = "sk-proj-canary-0123456789wxyz";

let surfer: Surfer;
beforeAll(async () => {
  surfer = await Surfer.start();
});
afterAll(async () => {
  await surfer?.stop();
});

/** Runs a test on a program of its own: a first run happens once. */
async function fresh(run: (stack: Stack) => Promise<void>, options = {}) {
  const stack = await Stack.start(options);
  try {
    await run(stack);
    expect(surfer.take()).toEqual([]);
  } finally {
    await surfer.closePages();
    await stack.stop();
  }
}

const step = (page: Page, n: number, state: "waiting" | "done" | "failed") => page.locator(`[data-step="${n}"][data-state=${state}]`).waitFor();

/** The page is ready to see what happens: its live events have begun. */
const listening = (page: Page) => page.getByText("Listening").waitFor();

test("the snippet that is shown works when it is pasted, and the row turns green", () =>
  fresh(async (stack) => {
    const page = await surfer.page(stack, "g/default");
    await page.getByRole("heading", { level: 1, name: "Send your first request" }).waitFor();
    await listening(page);
    expect(await violations(page)).toEqual([]);
    const code = await page.getByLabel("curl", { exact: true }).locator("visible=true").last().innerText();
    const { stdout } = await sh("sh", ["-c", `${code} -s`]);
    expect(stdout).toContain("echo");
    await step(page, 3, "done");
    await page.getByText("Your first request landed").waitFor();
    await page.getByText("echo/echo-1").waitFor();
    expect(await violations(page)).toEqual([]);
    await page.getByRole("link", { name: "Open log" }).click();
    await page.waitForURL(/\/g\/default\/logs\?log=/);
  }));

test("it runs from the page, with echo and no key", () =>
  fresh(async (stack) => {
    const page = await surfer.page(stack, "g/default");
    await listening(page);
    await page.getByRole("button", { name: /echo model/ }).click();
    await step(page, 1, "done");
    await page.getByRole("button", { name: "Run it from here" }).click();
    await step(page, 3, "done");
    await page.getByRole("button", { name: "Go to the gateway" }).click();
    await page.getByRole("heading", { level: 1, name: "default" }).waitFor();
    await page.getByText("Connect an application").waitFor();
    expect(await violations(page)).toEqual([]);
  }));

test("a key of the environment is masked, used when asked for, and never in a page", () =>
  fresh(
    async (stack) => {
      stack.upstream.script = (asked, answer) => {
        answer.writeHead(asked.headers.authorization === `Bearer ${key}` ? 200 : 401, { "content-type": "application/json" });
        answer.end(JSON.stringify({ id: "1", object: "chat.completion", model: "gpt-4.1-mini", choices: [{ index: 0, message: { role: "assistant", content: "Hi" }, finish_reason: "stop" }], usage: { prompt_tokens: 8, completion_tokens: 2, total_tokens: 10 } }));
      };
      const page = await surfer.page(stack, "g/default");
      await listening(page);
      await page.getByText("OPENAI_API_KEY").first().waitFor();
      await page.getByText("…wxyz").waitFor();
      await page.getByRole("button", { name: "Use", exact: true }).click();
      await page.getByText(/key for openai is stored/).waitFor();
      await page.getByRole("button", { name: "Run it from here" }).click();
      await step(page, 3, "done");
      await page.getByText("openai/gpt-4.1-mini").waitFor();
      expect(stack.upstream.asked.at(-1)?.headers.authorization).toBe(`Bearer ${key}`);
      expect(await page.content()).not.toContain("canary");
    },
    { env: { OPENAI_API_KEY: key } },
  ));

test("a pasted key that the provider refuses is not stored", () =>
  fresh(async (stack) => {
    stack.upstream.script = (_, answer) => void answer.writeHead(401, { "content-type": "application/json" }).end('{"error":{"message":"Incorrect API key"}}');
    const page = await surfer.page(stack, "g/default");
    await page.getByLabel("Paste a key").fill(key);
    await page.getByRole("button", { name: "Store and test" }).click();
    await page.getByText(/does not know this key/).waitFor();
    expect(await stack.api<unknown[]>("/gateways/default/provider_configs")).toEqual([]);
  }));

test("each way to fail says why, and how it would be right", () =>
  fresh(async (stack) => {
    const page = await surfer.page(stack, "g/default");
    await listening(page);
    const fails = async (words: string, call: () => Promise<unknown>) => {
      await call();
      await page.getByText(words).first().waitFor();
      await step(page, 3, "failed");
    };
    const post = (path: string, headers = {}) => fetch(stack.url + path, { method: "POST", headers: { "content-type": "application/json", ...headers }, body: '{"model":"gpt-none","messages":[]}' });
    await fails("There is no such account or gateway", () => post("/v1/chat/completions"));
    await page.getByText(/curl .*\/v1\/default\/default\/openai\/chat\/completions/).first().waitFor();
    await fails("The path names no provider", () => post("/v1/default/default/opnai/chat/completions"));
    stack.upstream.script = (_, answer) => void answer.writeHead(401, { "content-type": "application/json" }).end('{"error":{"message":"Incorrect API key"}}');
    await fails("The call has no key for the provider", () => post("/v1/default/default/openai/chat/completions"));
    await fails("The provider did not take the key", () => post("/v1/default/default/openai/chat/completions", { authorization: "Bearer sk-wrong" }));
    stack.upstream.script = (_, answer) => void answer.writeHead(404, { "content-type": "application/json" }).end('{"error":{"message":"no such model"}}');
    await fails("The provider does not know the model or the path", () => post("/v1/default/default/openai/chat/completions", { authorization: "Bearer sk-right" }));
    await stack.upstream.stop();
    await fails("The provider cannot be reached", () => post("/v1/default/default/anthropic/v1/messages", { "x-api-key": "k" }));
    expect(await violations(page)).toEqual([]);
    await stack.chat();
    await step(page, 3, "done"); // what failed before does not stay
    await page.getByText("The provider cannot be reached").waitFor({ state: "detached" });
  }));

test("a gateway is made, and its first run begins", () =>
  fresh(async (stack) => {
    const page = await surfer.page(stack, "gateways/new");
    await page.getByLabel("Name").fill("Équipe 7");
    await page.getByText("equipe-7").waitFor();
    expect(await violations(page)).toEqual([]);
    await page.getByRole("button", { name: "Create gateway" }).click();
    await page.waitForURL(/\/g\/equipe-7$/);
    await page.getByRole("heading", { level: 1, name: "Send your first request" }).waitFor();
    expect(await stack.api<{ id: string }[]>("/gateways").then((all) => all.map((g) => g.id).sort())).toEqual(["default", "equipe-7"]);
  }));
