import { readFileSync } from "node:fs";
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

test("two models are asked at once, by a token of their own, and each answer has its figures", async () => {
  const page = await surfer.page(stack, "g/default/playground");
  await page.getByLabel("Text").fill("Say hello");
  await page.getByRole("button", { name: "Compare with another model" }).click();
  await page.getByLabel("Provider and model").nth(1).fill("echo/echo-slow");
  await page.keyboard.press("Control+Enter");
  for (const name of ["echo/echo", "echo/echo-slow"]) {
    const column = page.getByRole("region", { name, exact: true });
    await column.getByText("echo: Say hello").waitFor();
    await column.getByText("200 done").waitFor();
    await column.getByRole("link", { name: "Open log" }).waitFor();
  }
  await page.getByRole("button", { name: "Difference" }).click();
  const logs = await until(async () => {
    const found = await stack.api<{ metadata: Record<string, string>; key: string | null }[]>("/gateways/default/logs?basis=requests&fields=metadata,key");
    return found.length === 2 && found;
  }, "both calls are in the log");
  for (const log of logs) {
    expect(log.metadata).toEqual({ source: "playground" });
    expect(log.key).toMatch(/^playground-/);
  }
  expect((await violations(page)).filter((v) => !v.includes(".md"))).toEqual([]);
  await page.reload();
  expect(await page.getByLabel("Text").inputValue()).toBe("Say hello");
  await page.context().close();
});

test("a call can be stopped", async () => {
  stack.upstream.script = (_, answer) => {
    answer.writeHead(200, { "Content-Type": "text/event-stream" });
    answer.write("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Half\"}}]}\n\n");
  };
  const page = await surfer.page(stack, "g/default/playground");
  await page.getByLabel("Provider and model").fill("openai/gpt-4o");
  await page.getByLabel("Text").fill("Go on for ever");
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await page.getByText("Half").waitFor();
  await page.getByRole("button", { name: "Stop", exact: true }).click();
  await page.getByText("stopped").waitFor();
  await page.context().close();
});

test("a logged request with tool calls is replayed as sent, and as messages to another model", async () => {
  const request = { model: "claude-sonnet-4-6", max_tokens: 50, messages: [{ role: "user", content: "Time?" }, { role: "assistant", content: [{ type: "tool_use", id: "toolu_1", name: "get_time", input: { place: "Bled" } }] }, { role: "user", content: [{ type: "tool_result", tool_use_id: "toolu_1", content: "09:10" }] }] };
  stack.upstream.script = (asked, answer) => {
    const claude = asked.url.includes("anthropic");
    answer.writeHead(200, { "Content-Type": claude ? "text/event-stream" : "application/json" });
    answer.end(wire(claude ? "anthropic/messages.tools.stream.sse" : "openai/chat.response.json"));
  };
  const sent = await stack.chat({ provider: "anthropic", path: "v1/messages", body: request, headers: { "x-api-key": "sk-ant-test", "anthropic-version": "2023-06-01" } });
  await sent.text();
  const id = sent.headers.get("cf-aig-log-id")!;
  await until(() => stack.api(`/gateways/default/logs/${id}`).catch(() => undefined), "the entry is in the log");

  const page = await surfer.page(stack, `g/default/logs/${id}`);
  await page.getByRole("link", { name: "Replay" }).click();
  await page.getByText("Original").waitFor();
  const before = stack.upstream.asked.length;
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await until(() => stack.upstream.asked.length > before, "the request went once more");
  const again = stack.upstream.asked.at(-1)!;
  expect(again.url).toContain("/v1/messages");
  expect(JSON.parse(again.body)).toEqual(request);
  expect(again.headers["anthropic-version"]).toBe("2023-06-01");
  expect(again.headers["x-api-key"]).toBeUndefined();
  expect(again.headers.cookie).toBeUndefined();
  await page.getByText("200 done").waitFor();

  await page.getByRole("button", { name: "Edit first" }).click();
  await page.getByLabel("Provider and model").fill("openai/gpt-4o");
  const then = stack.upstream.asked.length;
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await until(() => stack.upstream.asked.length > then, "the messages went to the other model");
  const body = JSON.parse(stack.upstream.asked.at(-1)!.body) as { model: string; messages: unknown[] };
  expect(body.model).toBe("gpt-4o");
  expect(body.messages).toEqual([
    { role: "user", content: "Time?" },
    { role: "assistant", content: null, tool_calls: [{ id: "toolu_1", type: "function", function: { name: "get_time", arguments: "{\"place\":\"Bled\"}" } }] },
    { role: "tool", tool_call_id: "toolu_1", content: "09:10" },
  ]);
  await page.context().close();
});
