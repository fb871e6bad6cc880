import { readFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { Stack, Surfer, until, violations } from "./stack";

const wire = (file: string) => readFileSync(new URL(`../src/lib/conversation/testdata/${file}`, import.meta.url));

let stack: Stack;
let surfer: Surfer;
beforeAll(async () => {
  stack = await Stack.start();
  surfer = await Surfer.start();
});
afterAll(async () => {
  await surfer?.stop();
  await stack?.stop();
});
beforeEach(() => void surfer.take());
afterEach(() => expect(surfer.take()).toEqual([]));

/** A logged exchange: the request's body and the answer's are files, or values. */
async function exchange(path: string, request: string | object, answer: string | object, options: { status?: number; type?: string; headers?: Record<string, string> } = {}): Promise<string> {
  stack.upstream.script = (_, out) => {
    out.writeHead(options.status ?? 200, { "Content-Type": options.type ?? "application/json" });
    out.end(typeof answer === "string" ? wire(answer) : JSON.stringify(answer));
  };
  const sent = await fetch(`${stack.url}/v1/default/default/${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json", Authorization: "Bearer sk-test-not-a-key", ...options.headers },
    body: typeof request === "string" ? wire(request) : JSON.stringify(request),
  });
  await sent.arrayBuffer();
  const id = sent.headers.get("cf-aig-log-id")!;
  await until(async () => ((await stack.api<{ ending: string }>(`/gateways/default/logs/${id}`).catch(() => undefined))?.ending ?? "in_flight") !== "in_flight", "the entry is in the log");
  return id;
}

async function open(id: string, tab = ""): Promise<Page> {
  return surfer.page(stack, `g/default/logs/${id}${tab && `?tab=${tab}`}`);
}

const sse = "text/event-stream";
const dialects: [name: string, path: string, request: string, answer: string, type: string, seen: string[]][] = [
  ["OpenAI chat with tools", "openai/chat/completions", "openai/chat.tools.request.json", "openai/chat.tools.stream.sse", sse, ["get_time", "get_weather"]],
  ["OpenAI responses", "openai/responses", "openai/responses.request.json", "openai/responses.stream.sse", sse, ["Name one alpine flower.", "Edelweiss."]],
  ["Anthropic with reasoning", "anthropic/v1/messages", "anthropic/messages.request.json", "anthropic/messages.thinking.stream.sse", sse, ["Reasoning", "end_turn"]],
  ["Anthropic with tools", "anthropic/v1/messages", "anthropic/messages.tools.request.json", "anthropic/messages.tools.stream.sse", sse, ["Time and weather in Bled?", "get_weather"]],
  ["Gemini with tools", "google-ai-studio/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", "google-ai-studio/generate.request.json", "google-ai-studio/stream.tools.sse", sse, ["Largest lake fully in Slovenia?", "get_time"]],
  ["an error within a stream", "openai/chat/completions", "openai/chat.request.json", "openai/chat.stream.mid-error.sse", sse, ["Partial", "The server had an error"]],
];

for (const [name, path, request, answer, type, seen] of dialects) {
  test(`a conversation is shown: ${name}`, async () => {
    const page = await open(await exchange(path, request, answer, { type }));
    for (const text of seen) await page.getByRole("tabpanel").getByText(text).first().waitFor();
    await page.context().close();
  });
}

test("a picture in the body is shown, one elsewhere is not fetched, and a result names its call", async () => {
  const png = "iVBORw0KGgoAAAANSUhEUgAAAAoAAAAKCAYAAACNMs+9AAAAFUlEQVR42mNk+M9Qz0AEYBxVSF+FAP5FDvcfRYWgAAAAAElFTkSuQmCC";
  const id = await exchange(
    "openai/chat/completions",
    {
      model: "gpt-4o",
      messages: [
        { role: "user", content: [{ type: "text", text: "Look: ![far](https://example.com/far.png) <img src=x onerror=alert(1)>" }, { type: "image_url", image_url: { url: `data:image/png;base64,${png}` } }] },
        { role: "assistant", content: null, tool_calls: [{ id: "c9", type: "function", function: { name: "zoom", arguments: "{\"factor\":2}" } }] },
        { role: "tool", tool_call_id: "c9", content: "{\"ok\":true}" },
      ],
    },
    "openai/chat.response.json",
  );
  const page = await open(id);
  const talk = page.getByRole("tabpanel");
  await talk.getByText("Result of zoom").waitFor();
  expect(await talk.locator("img").count()).toBe(1);
  await talk.getByText("<img src=x onerror=alert(1)>").waitFor();
  expect(await talk.getByRole("link", { name: /far/ }).getAttribute("rel")).toContain("noopener");
  await page.context().close();
});

test("retries are told in a sentence and on the timeline, in both themes and on a phone", async () => {
  const id = await exchange("openai/chat/completions", "openai/chat.request.json", "openai/error.429.rate.json", { status: 429, headers: { "cf-aig-max-attempts": "2", "cf-aig-retry-delay": "1" } });
  for (const colorScheme of ["light", "dark"] as const) {
    const page = await surfer.page(stack, `g/default/logs/${id}`, { colorScheme, viewport: { width: colorScheme === "dark" ? 320 : 1280, height: 900 } });
    await page.getByText("429 after 1 retry (status 429): openai/gpt-5-mini answered with an error").waitFor();
    const second = page.getByRole("button", { name: /Attempt 2/ });
    await second.focus();
    await page.keyboard.press("Enter");
    await page.getByText(/begins at/).waitFor();
    await page.getByRole("tabpanel").getByText("rate_limit_exceeded").waitFor();
    expect((await violations(page)).filter((v) => v.includes("main") || !v.includes(".md"))).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
    await page.context().close();
  }
});

test("bodies are trees, headers say what is redacted, attempts and streams have their rows", async () => {
  const id = await exchange("openai/chat/completions", "openai/chat.tools.request.json", "openai/chat.tools.stream.sse", { type: sse });
  const page = await open(id, "request");
  await page.getByRole("tree").getByText("messages:").waitFor();
  await page.getByRole("tab", { name: "Headers" }).click();
  await page.getByText("redacted", { exact: true }).waitFor();
  expect(await page.getByText("sk-test-not-a-key").count()).toBe(0);
  await page.getByRole("tab", { name: "Attempts" }).click();
  await page.getByRole("cell", { name: "openai/gpt-4o-mini" }).waitFor();
  await page.getByRole("tab", { name: "Stream" }).click();
  await page.getByRole("button", { name: "Play" }).waitFor();
  await page.context().close();
});

test("a body in a worker: long ones are parsed beside the page", async () => {
  const long = Array.from({ length: 4_000 }, (_, i) => ({ type: "text", text: `piece ${i}` }));
  const id = await exchange("openai/chat/completions", { model: "m", messages: [{ role: "user", content: long }] }, "openai/chat.response.json");
  const page = await open(id, "request");
  await page.getByRole("tree").getByText("messages:").waitFor();
  await page.context().close();
});

test("a body that was not stored says by which rule", async () => {
  const page = await open(await exchange("openai/chat/completions", "openai/chat.request.json", "openai/chat.response.json", { headers: { "cf-aig-collect-log-payload": "false" } }));
  await page.getByText("not stored, because the request said cf-aig-collect-log-payload: false").first().waitFor();
  await page.context().close();
});

test("feedback is kept, and can be undone; an entry that is gone says so", async () => {
  const id = await exchange("openai/chat/completions", "openai/chat.request.json", "openai/chat.response.json");
  const page = await open(id);
  const feedback = () => stack.api<{ feedback: number | null }>(`/gateways/default/logs/${id}`).then((e) => e.feedback);
  await page.getByRole("button", { name: "Good answer" }).click();
  await until(async () => (await feedback()) === 1, "the feedback is kept");
  await page.getByRole("button", { name: "Undo" }).click();
  await until(async () => (await feedback()) === null, "the feedback is undone");
  await stack.api(`/gateways/default/logs/${id}`, { method: "DELETE" });
  await page.reload();
  await page.getByText("This request is not in the log").waitFor();
  expect((await violations(page)).filter((v) => !v.includes(".md"))).toEqual([]);
  await page.context().close();
});

test("why the cache did not answer is told beside the nearest request", async () => {
  const answer = await stack.chat({ text: "What is the longest river?" });
  const page = await open(answer.headers.get("cf-aig-log-id")!);
  await page.getByRole("button", { name: "Why?" }).click();
  await page.getByText(/the cache is off/).waitFor();
  await page.context().close();
});
