// The list of logs and its live tail.
import type { ServerResponse } from "node:http";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { connect } from "node:net";
import type { Page, Request } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { Stack, Surfer, until, violations } from "./stack";

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
afterEach(async () => {
  for (const context of surfer.browser.contexts()) await context.close();
  expect(surfer.take()).toEqual([]);
});

/** Texts of the last user messages, or whatever column, from top to bottom. */
const column = (page: Page, id: string) => page.locator(`[role=gridcell][data-column=${id}]`).allInnerTexts();
const live = (page: Page) => page.getByRole("button", { name: "Follow: Live" }).waitFor();
const total = async () => (await stack.api<{ requests: number }>("/gateways/default/summary?range=24h")).requests;

test("an empty list shows how to fill it, and fills at once", async () => {
  const page = await surfer.page(stack, "g/default/logs");
  await page.getByText("No request yet").waitFor();
  expect(await violations(page)).toEqual([]);
  await stack.chat({ text: "the very first" });
  await page.getByRole("row").filter({ hasText: "echo-1" }).waitFor();
});

test("filter, address and back say the same", async () => {
  for (const model of ["alpha", "beta", "alpha"]) await stack.chat({ model });
  const page = await surfer.page(stack, "g/default/logs");
  await page.getByRole("row").filter({ hasText: "beta" }).waitFor();
  await page.keyboard.press("/");
  await page.keyboard.type("model:alpha");
  await page.keyboard.press("Enter");
  await page.waitForURL(/[?&]q=model:alpha/);
  await until(async () => (await column(page, "model")).join() === "alpha,alpha", "only alpha is listed");
  await page.getByRole("button", { name: "model: alpha", exact: true }).or(page.getByTitle("Change model")).first().click();
  await page.getByRole("combobox", { name: "Whether it must hold" }).selectOption("not");
  await page.getByRole("button", { name: "Apply" }).click();
  await page.waitForURL(/q=-model:alpha/);
  await until(async () => !(await column(page, "model")).includes("alpha"), "alpha is gone");
  await page.goBack();
  await until(async () => (await column(page, "model")).join() === "alpha,alpha", "alpha is back");
  await page.goBack();
  await page.getByRole("row").filter({ hasText: "beta" }).waitFor();
  expect(new URL(page.url()).search).toBe("");
});

test("what cannot be read is said with its place", async () => {
  const page = await surfer.page(stack, "g/default/logs");
  await page.getByRole("combobox", { name: "Filter", exact: true }).fill("provder:openai");
  await page.keyboard.press("Enter");
  expect(await page.getByRole("alert").innerText()).toContain("provder");
  expect(await page.locator("mark").innerText()).toBe("provder:");
  expect(await violations(page)).toEqual([]);
  await page.goto(stack.page("g/default/logs?q=status:wrong"));
  await page.getByRole("alert").waitFor();
});

test("a cell filters by its value, by the keyboard alone", async () => {
  const page = await surfer.page(stack, "g/default/logs");
  await page.getByRole("row").filter({ hasText: "beta" }).waitFor();
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  const row = page.locator("[role=row]:focus");
  await row.waitFor();
  const model = await row.locator("[data-column=model]").innerText();
  for (let i = 0; i < 3; i++) await page.keyboard.press("ArrowRight");
  await page.keyboard.press("m");
  await page.getByRole("menu").waitFor();
  await page.getByRole("menuitem", { name: /Only rows like this/ }).press("Enter");
  await page.waitForURL((url) => url.searchParams.get("q") === `model:${model}`);
});

test("rows are opened, walked and closed by keys, and the address says which", async () => {
  const page = await surfer.page(stack, "g/default/logs");
  await page.getByRole("row").filter({ hasText: "beta" }).waitFor();
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.waitForURL(/log=/);
  const first = new URL(page.url()).searchParams.get("log");
  await page.getByRole("complementary", { name: "Details of a request" }).waitFor();
  await page.keyboard.press("j");
  await page.waitForURL((url) => url.searchParams.get("log") !== first);
  const second = new URL(page.url()).searchParams.get("log")!;
  await page.keyboard.press("Escape");
  await page.waitForURL((url) => !url.searchParams.has("log"));
  await until(async () => (await page.evaluate(() => (document.activeElement as HTMLElement).dataset.row)) === second, "the focus is on the row");

  const deep = await surfer.page(stack, `g/default/logs?log=${second}`);
  await deep.getByRole("complementary", { name: "Details of a request" }).getByText(second).first().waitFor();
});

test("a stream is watched from its beginning to its end", async () => {
  let answer: ServerResponse | undefined;
  stack.upstream.script = (_, a) => {
    answer = a;
    a.writeHead(200, { "Content-Type": "text/event-stream" });
    a.write('data: {"id":"1","object":"chat.completion.chunk","model":"gpt-4.1","choices":[{"index":0,"delta":{"content":"Hel"}}]}\n\n');
  };
  const page = await surfer.page(stack, "g/default/logs");
  await live(page);
  const call = stack.chat({ provider: "openai", model: "gpt-4.1", stream: true, headers: { Authorization: "Bearer sk-test" } });
  const row = page.getByRole("row").filter({ hasText: "gpt-4.1" });
  await row.filter({ hasText: "In flight" }).waitFor();
  const id = await row.getAttribute("data-row");
  answer!.end('data: {"id":"1","object":"chat.completion.chunk","model":"gpt-4.1","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}}\n\ndata: [DONE]\n\n');
  await (await call).text();
  await row.filter({ hasText: "OK" }).filter({ hasText: "9 / 3" }).waitFor();
  expect(await row.getAttribute("data-row")).toBe(id);
});

test("new rows wait while one looks elsewhere", async () => {
  const page = await surfer.page(stack, "g/default/logs");
  await live(page);
  await page.keyboard.press("j");
  const row = page.locator("[role=row]:focus");
  const [id, box] = [await row.getAttribute("data-row"), await row.boundingBox()];
  await stack.chat({ model: "waits" });
  await page.getByRole("button", { name: "1 new request" }).waitFor();
  await page.getByRole("button", { name: "Follow: Paused, 1 new" }).waitFor();
  expect([await row.getAttribute("data-row"), await row.boundingBox()]).toEqual([id, box]);
  await page.getByRole("button", { name: "1 new request" }).click();
  await page.getByRole("row").filter({ hasText: "waits" }).waitFor();
  await page.keyboard.press("l");
  await page.waitForURL(/live=0/);
  await stack.chat({ model: "paused" });
  await page.getByRole("button", { name: "Follow: Paused, 1 new" }).waitFor();
  expect(await page.getByRole("row").filter({ hasText: "paused" }).count()).toBe(0);
  await page.keyboard.press("l");
  await page.getByRole("row").filter({ hasText: "paused" }).waitFor();
});

/** A proxy whose connections can be cut. */
async function cutter(port: number): Promise<{ server: Server; url: string; cut: () => void }> {
  const open = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(port, "127.0.0.1");
    for (const s of [near, far]) {
      open.add(s);
      s.on("error", () => undefined);
      s.on("close", () => (near.destroy(), far.destroy(), open.delete(s)));
    }
    near.pipe(far);
    far.pipe(near);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, cut: () => open.forEach((s) => s.destroy()) };
}

test("the tail has no gap when its connection is cut", async () => {
  const wire = await cutter(stack.port);
  try {
    const context = await surfer.context(stack);
    const page = await context.newPage();
    await page.goto(`${wire.url}/ui/g/default/logs?q=model:gap-*`);
    await page.getByText("Nothing matches").waitFor();
    await live(page);
    for (let i = 0; i < 30; i++) {
      if (i % 6 === 3) wire.cut();
      await stack.chat({ model: `gap-${i}` });
    }
    await until(async () => (await page.getByRole("grid").getAttribute("aria-rowcount").catch(() => "")) === "31" || (await column(page, "model")).length >= 24, "all rows came");
    const want = Array.from({ length: 30 }, (_, i) => `gap-${29 - i}`);
    await until(async () => {
      const seen = await column(page, "model");
      return want.slice(0, seen.length).join() === seen.join() && seen.length > 15;
    }, "the rows are all there, in order");
  } finally {
    // Requests to the proxy's port are no foreign ones.
    surfer.complaints.splice(0, surfer.complaints.length, ...surfer.complaints.filter((c) => !c.includes(wire.url)));
    wire.cut();
    wire.server.close();
  }
});

test("seven tabs share one stream", async () => {
  const context = await surfer.context(stack);
  const open = new Set<Request>();
  context.on("request", (r) => r.url().includes("/events?") && open.add(r));
  context.on("requestfailed", (r) => open.delete(r));
  context.on("requestfinished", (r) => open.delete(r));
  const streams = () => [...open].filter((r) => !r.frame().page().isClosed()).length;
  const pages: Page[] = [];
  for (let i = 0; i < 7; i++) {
    const page = await context.newPage();
    await page.goto(stack.page(`g/default/logs${i % 2 ? "?q=model:tab*" : ""}`));
    pages.push(page);
  }
  for (const page of pages) await live(page).catch(() => page.getByText("Nothing matches").waitFor());
  await until(() => streams() === 1, "one stream is open");
  await stack.chat({ model: "tab-1" });
  for (const page of pages) await page.getByRole("row").filter({ hasText: "tab-1" }).waitFor();
  await pages[0]!.close();
  await stack.chat({ model: "tab-2" });
  for (const page of pages.slice(1)) await page.getByRole("row").filter({ hasText: "tab-2" }).waitFor();
  await until(() => streams() === 1, "another tab reads the one stream");
});

test("rows are selected, counted and deleted", async () => {
  for (let i = 0; i < 3; i++) await stack.chat({ model: "doomed" });
  const page = await surfer.page(stack, "g/default/logs?q=model:doomed");
  await until(async () => (await column(page, "model")).length === 3, "three rows");
  await page.keyboard.press("j");
  await page.keyboard.press("x");
  await page.keyboard.press("j");
  await page.keyboard.press("Shift+X");
  await page.getByText("2 selected").waitFor();
  await page.getByRole("button", { name: "Delete…" }).click();
  await page.getByRole("button", { name: "Delete 2 requests" }).click();
  await until(async () => (await column(page, "model")).length === 1, "one row is left");
  await until(async () => (await stack.api<unknown[]>("/gateways/default/logs?q=model:doomed")).length === 1, "the log has one");
});

test("columns, order and views are in the address", async () => {
  const page = await surfer.page(stack, "g/default/logs?cols=time,status,duration:120,model");
  await page.getByRole("columnheader", { name: "Model" }).waitFor();
  expect(await page.getByRole("columnheader").allInnerTexts()).toEqual(["", "Time", "Status", "Duration", "Model"]);
  await page.getByRole("button", { name: "Duration", exact: true }).click();
  await page.waitForURL(/sort=duration/);
  await page.getByText(/with the greatest “Duration”/).waitFor();
  await page.getByRole("button", { name: "Views" }).click();
  await page.getByRole("menuitem", { name: "Save this view…" }).click();
  await page.getByLabel("Name").fill("Slow ones");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.getByRole("button", { name: "Slow ones", exact: true }).waitFor();
  await page.goto(stack.page("g/default/logs"));
  await page.getByRole("button", { name: "Views" }).click();
  await page.getByRole("menuitem", { name: "Slow ones" }).click();
  await page.waitForURL(/sort=duration/);
});

test("an export is as long as the list, and its job is in the bar", async () => {
  const page = await surfer.page(stack, "g/default/logs?q=model:alpha");
  await until(async () => (await column(page, "model")).length === 2, "two rows");
  await page.getByRole("button", { name: "Export" }).click();
  await page.getByRole("button", { name: "Start export" }).click();
  await page.getByRole("button", { name: /^(Jobs|\d+ jobs? (is|are) running)$/ }).click();
  await page.getByText("2 / 2").first().waitFor();
  const link = page.getByRole("link", { name: /sluice-logs/ });
  await link.waitFor();
  expect(await link.getAttribute("href")).toContain("/result");
});

test("there is nothing that axe-core finds wrong, and no sideways scroll at 320 px", async () => {
  for (const colorScheme of ["light", "dark"] as const) {
    for (const path of ["g/default/logs", "g/default/logs?q=model:none-such", "g/default/logs?table=plain"]) {
      const page = await surfer.page(stack, path, { colorScheme });
      await page.getByText(/requests?$/).first().waitFor();
      await page.getByText("Nothing matches").or(page.getByRole("row").nth(1)).first().waitFor();
      expect(await violations(page)).toEqual([]);
      await page.context().close();
    }
  }
  const page = await surfer.page(stack, "g/default/logs", { viewport: { width: 320, height: 640 } });
  await page.getByRole("row").first().waitFor();
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(320);
  expect(await violations(page)).toEqual([]);
  await page.getByRole("row").first().click();
  await page.getByRole("complementary", { name: "Details of a request" }).waitFor();
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(320);
});

test("the sums above the list are the log's", async () => {
  const page = await surfer.page(stack, "g/default/logs");
  const n = await total();
  await page.getByText(`${n} requests`, { exact: true }).waitFor();
});
