// Analytics: what is shown is what was sent, and each number leads to its requests.
import type { Page } from "playwright-core";
import { readFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { Stack, Surfer, until } from "./stack";

let stack: Stack;
let surfer: Surfer;

/** What is sent: 7 requests, of which 2 fail; each good one has 1,000 tokens each way. */
const good = { "gpt-4o": 3, "gpt-4o-mini": 2 };
const bad = 2;
const all = 7;

beforeAll(async () => {
  stack = await Stack.start();
  surfer = await Surfer.start();
  stack.upstream.script = ({ body }, answer) => {
    const { model } = JSON.parse(body) as { model: string };
    answer.setHeader("Content-Type", "application/json");
    if (model === "broken") return void answer.writeHead(500).end('{"error":{"message":"It broke"}}');
    const message = { role: "assistant", content: "Hello" };
    answer.end(JSON.stringify({ id: "chatcmpl-1", object: "chat.completion", model, choices: [{ index: 0, finish_reason: "stop", message }], usage: { prompt_tokens: 1000, completion_tokens: 1000, total_tokens: 2000 } }));
  };
  const call = (model: string) => stack.chat({ provider: "openai", model, headers: { authorization: "Bearer sk-own", "cf-aig-max-attempts": "1" } });
  for (const [model, n] of Object.entries(good)) for (let i = 0; i < n; i++) expect((await call(model)).status).toBe(200);
  for (let i = 0; i < bad; i++) expect((await call("broken")).status).toBe(500);
  await until(async () => (await stack.api<{ requests: number }>("/gateways/default/summary?range=24h")).requests === all, "all is counted");
});
afterAll(async () => {
  await surfer?.stop();
  await stack?.stop();
});
afterEach(async () => {
  for (const context of surfer.browser.contexts()) await context.close();
  expect(surfer.take()).toEqual([]);
});

const tile = async (page: Page, name: string) => {
  const box = page.getByRole("region", { name, exact: true }).locator("p").first();
  return until(async () => (await box.innerText().catch(() => "")) || undefined, `the tile ${name} has its number`);
};
const row = (page: Page, name: string) => page.getByRole("row").filter({ has: page.getByRole("rowheader", { name, exact: true }) });
const card = (page: Page, title: string) => page.locator("section").filter({ has: page.getByRole("heading", { name: title, exact: true }) });

test("tiles, breakdown, table and file have the numbers of what was sent", async () => {
  const page = await surfer.page(stack, "g/default/analytics");
  expect(await tile(page, "Requests")).toBe("7");
  expect(await tile(page, "Tokens")).toBe("10,000");
  // 3 × (1,000 × $2.50 + 1,000 × $10) + 2 × (1,000 × $0.15 + 1,000 × $0.60), for a million each.
  expect(await tile(page, "Cost")).toBe("$0.0390");
  expect(await tile(page, "Error rate")).toBe("29%");
  for (const [model, n] of Object.entries(good)) {
    await row(page, model).waitFor();
    const cells = await row(page, model).getByRole("cell").allInnerTexts();
    expect([cells[0], cells[2]]).toEqual([String(n), (n * 2000).toLocaleString("en-US")]);
  }
  const chart = card(page, "Requests by outcome");
  await chart.getByRole("button", { name: "More for Requests by outcome" }).click();
  await page.getByRole("menuitem", { name: "Show as table" }).click();
  const cells = (await chart.getByRole("cell").allInnerTexts()).map((text) => Number(text.replace("—", "0")));
  expect(cells.reduce((n, c) => n + c, 0)).toBe(all);
  await chart.getByRole("button", { name: "More for Requests by outcome" }).click();
  const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("menuitem", { name: "Download CSV" }).click()]);
  const lines = readFileSync(await file.path(), "utf8").trim().split("\r\n").slice(1);
  expect(lines.flatMap((line) => line.split(",").slice(1)).map(Number)).toEqual(cells);
});

test("a bar opens the requests that it counts", async () => {
  const page = await surfer.page(stack, "g/default/analytics?range=24h");
  const chart = page.getByRole("application", { name: "Requests by outcome" });
  await chart.waitFor();
  await chart.focus();
  await page.keyboard.press("End");
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/logs\?range=/);
  await until(async () => (await page.getByRole("row").filter({ hasText: /gpt-4o|broken/ }).count()) === all, "the logs of the interval are listed");
});

test("group, comparison, basis, filter and a drag over a chart stand in the address", async () => {
  const page = await surfer.page(stack, "g/default/analytics");
  await page.getByLabel("Group by").selectOption("provider");
  await page.waitForURL(/group=provider/);
  await row(page, "openai").waitFor();
  await page.getByRole("combobox", { name: "Count" }).selectOption("attempts");
  await page.getByLabel("Compare with the period before").check();
  await page.waitForURL((url) => url.search === "?group=provider&cmp=1&basis=attempts");
  await page.reload();
  expect(await page.getByLabel("Group by").inputValue()).toBe("provider");
  expect(await page.getByLabel("Compare with the period before").isChecked()).toBe(true);
  await row(page, "openai").getByRole("button").click();
  await page.waitForURL(/q=provider:openai/);
  await until(async () => (await page.locator('[aria-busy="true"]').count()) === 0, "the filtered numbers are there");
  const over = page.getByRole("application", { name: "Requests by outcome" }).locator(".u-over");
  await over.scrollIntoViewIfNeeded();
  const box = (await over.boundingBox())!;
  await page.mouse.move(box.x + 60, box.y + 40);
  await page.mouse.down();
  await page.mouse.move(box.x + 200, box.y + 40, { steps: 4 });
  await page.mouse.up();
  await page.waitForURL(/range=[^&]*\.\./);
});
