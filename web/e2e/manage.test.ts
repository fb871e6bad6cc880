// Settings, provider keys, gateway tokens, budgets, and the process as a whole: what a page changes holds for calls.
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { Stack, Surfer, until } from "./stack";

interface Gateway {
  cache_ttl: number | null;
  retry_max_attempts: number | null;
  collect_payload: boolean | null;
  version: number;
}

let stack: Stack;
let surfer: Surfer;
beforeAll(async () => {
  stack = await Stack.start({ config: "accounts: { default: { gateways: { filed: { cache_ttl: 60 } } } }\n" });
  surfer = await Surfer.start();
  // A completion of 1,000 tokens each way, as OpenAI writes it.
  stack.upstream.script = (request, answer) => {
    answer.setHeader("Content-Type", "application/json");
    if (request.method === "GET") return void answer.end(JSON.stringify({ object: "list", data: [] }));
    answer.end(
      JSON.stringify({
        id: "chatcmpl-1",
        object: "chat.completion",
        model: "gpt-4o",
        choices: [{ index: 0, finish_reason: "stop", message: { role: "assistant", content: "Hello" } }],
        usage: { prompt_tokens: 1000, completion_tokens: 1000, total_tokens: 2000 },
      }),
    );
  };
});
afterAll(async () => {
  await surfer?.stop();
  await stack?.stop();
});
afterEach(async () => {
  for (const context of surfer.browser.contexts()) await context.close();
  expect(surfer.take()).toEqual([]);
});

const read = (id = "default") => stack.api<Gateway>(`/gateways/${id}`);
/** Changes a gateway beside the page. */
async function change(id: string, fields: object) {
  const now = await stack.api<Record<string, unknown>>(`/gateways/${id}`);
  const { cache_ttl, cache_invalidate_on_update, collect_logs, rate_limiting_interval, rate_limiting_limit } = now;
  await stack.api(`/gateways/${id}`, { method: "PUT", json: { cache_ttl, cache_invalidate_on_update, collect_logs, rate_limiting_interval, rate_limiting_limit, ...fields } });
}
const make = (id: string) => stack.api("/gateways", { method: "POST", json: { id, cache_invalidate_on_update: false, cache_ttl: 0, collect_logs: true, rate_limiting_interval: 0, rate_limiting_limit: 0 } });
const button = (page: Page, name: string | RegExp) => page.getByRole("button", { name, exact: typeof name === "string" });
const inDialog = (page: Page, name: string) => page.getByRole("dialog").getByRole("button", { name, exact: true });

test("settings are saved, by the button and by the keys, and given up", async () => {
  const page = await surfer.page(stack, "g/default/settings/retries");
  await page.getByLabel("Most tries").fill("3");
  await page.getByText("1 unsaved change", { exact: true }).waitFor();
  await button(page, "Save").click();
  await page.getByText("Settings saved").waitFor();
  expect((await read()).retry_max_attempts).toBe(3);
  await page.getByLabel("Most tries").fill("2");
  await page.keyboard.press("Control+s");
  await until(async () => (await read()).retry_max_attempts === 2, "Ctrl and S have saved");
  await page.getByText("unsaved change").waitFor({ state: "detached" });
  await page.getByLabel("Most tries").fill("5");
  await button(page, "Discard").click();
  expect(await page.getByLabel("Most tries").inputValue()).toBe("2");
  await page.getByLabel("Most tries").fill("9");
  await button(page, "Save").click();
  await until(async () => (await page.getByLabel("Most tries").getAttribute("aria-invalid")) === "true", "the field says what is wrong");
  expect((await read()).retry_max_attempts).toBe(2);
});

test("a change of somebody else's is shown beside one's own, and either can win", async () => {
  const page = await surfer.page(stack, "g/default/settings/caching");
  await page.getByRole("switch", { name: "Cache answers" }).click();
  await page.getByLabel("Keep answers for").fill("120");
  await change("default", { cache_ttl: 777 });
  await button(page, "Save").click();
  const row = page.getByRole("dialog").getByRole("row", { name: /cache_ttl/ });
  await row.waitFor();
  expect((await row.getByRole("cell").allInnerTexts()).join()).toBe("777,120");
  await inDialog(page, "Take what is there now").click();
  await until(async () => (await page.getByLabel("Keep answers for").inputValue()) === "777", "theirs is shown");
  await page.getByLabel("Keep answers for").fill("60");
  await change("default", { cache_ttl: 888 });
  await button(page, "Save").click();
  await inDialog(page, "Save mine over it").click();
  await page.getByText("Settings saved").waitFor();
  expect((await read()).cache_ttl).toBe(60);
  await change("default", { cache_ttl: 0 });
});

test("a gateway of the file cannot be changed here", async () => {
  const page = await surfer.page(stack, "g/filed/settings/caching");
  await page.getByText("managed by the configuration file").waitFor();
  expect(await page.getByRole("switch", { name: "Cache answers" }).isDisabled()).toBe(true);
  await page.goto(stack.page("g/filed/settings"));
  await page.getByText("managed by the configuration file").waitFor();
  expect(await button(page, "Delete gateway").count()).toBe(0);
});

test("a gateway goes when its name is typed", async () => {
  await make("short-lived");
  const page = await surfer.page(stack, "g/short-lived/settings");
  await button(page, "Delete gateway").click();
  const confirm = inDialog(page, "Delete gateway");
  await page.getByLabel("Type short-lived to delete").fill("short");
  expect(await confirm.isDisabled()).toBe(true);
  await page.getByLabel("Type short-lived to delete").fill("short-lived");
  await confirm.click();
  await page.waitForURL(stack.page());
  await expect(read("short-lived")).rejects.toThrow("404");
});

test("a provider's key is used, and never seen again", async () => {
  const secret = "sk-test-0123456789-never-to-be-seen-4242";
  const page = await surfer.page(stack, "g/default/providers");
  const answers: string[] = [];
  page.on("response", (r) => void r.text().then((text) => answers.push(text), () => undefined));
  await button(page, "Store a key for OpenAI").click();
  await page.getByRole("dialog").getByLabel("Key", { exact: true }).fill(secret);
  await inDialog(page, "Store a key").click();
  await page.getByText("Key stored").waitFor();
  await page.getByText("…4242", { exact: true }).waitFor();
  // Stored keys are for callers who show a token.
  const { value } = await stack.api<{ value: string }>("/tokens", { method: "POST", json: { name: "caller", permissions: ["run"] } });
  const status = (await stack.chat({ provider: "openai", model: "gpt-4o", headers: { "cf-aig-authorization": `Bearer ${value}` } })).status;
  expect(status).toBe(200);
  expect(stack.upstream.asked.at(-1)!.headers.authorization).toBe(`Bearer ${secret}`);
  await button(page, "Test: default").click();
  await page.getByText("The provider took the key").waitFor();
  expect(await page.content()).not.toContain(secret);
  await page.reload();
  await page.getByText("…4242", { exact: true }).waitFor();
  expect(await page.content()).not.toContain(secret);
  expect(page.url()).not.toContain("sk-");
  expect(answers.length).toBeGreaterThan(5);
  expect(answers.filter((text) => text.includes(secret))).toEqual([]);
  await button(page, "Delete key: default").click();
  await inDialog(page, "Delete key").click();
  await page.getByText("…4242", { exact: true }).waitFor({ state: "detached" });
  expect(await stack.api("/gateways/default/provider_configs")).toEqual([]);
});

test("a gateway token is shown once, opens the gateway, and is taken away", async () => {
  await change("default", { authentication: true });
  expect((await stack.chat()).status).toBe(401);
  const page = await surfer.page(stack, "g/default/keys");
  await button(page, "Make a token").first().click();
  await page.getByRole("dialog").getByLabel("Name").fill("tests");
  await inDialog(page, "Make a token").click();
  await page.getByRole("heading", { name: "Copy the token now" }).waitFor();
  const value = await page.getByRole("dialog").locator("code").first().innerText();
  const call = () => stack.chat({ model: "echo", headers: { "cf-aig-authorization": `Bearer ${value}` } });
  expect((await call()).status).toBe(200);
  await inDialog(page, "I stored it").click();
  await button(page, "Revoke: tests").waitFor();
  expect(await page.content()).not.toContain(value);
  await button(page, "Revoke: tests").click();
  await inDialog(page, "Revoke token").click();
  await button(page, "Revoke: tests").waitFor({ state: "detached" });
  expect((await call()).status).toBe(401);
  await page.getByLabel("Show revoked ones").check();
  await page.getByText("revoked", { exact: true }).waitFor();
  await change("default", { authentication: false });
});

test("a budget made here ends calls, and the bar and the try-out say so", async () => {
  const page = await surfer.page(stack, "g/default/budgets");
  await button(page, "All calls: $10 a day").click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Limit (US dollars)").fill("0.01");
  await dialog.getByText("All calls together may spend $0.01").waitFor();
  await inDialog(page, "Save").click();
  await page.getByText("Budget saved").waitFor();
  await page.getByText("room", { exact: true }).waitFor();
  const call = async () => (await stack.chat({ provider: "openai", model: "gpt-4o", headers: { authorization: "Bearer sk-own" } })).status;
  expect(await call()).toBe(200); // costs $0.0125
  await until(async () => (await call()) === 429, "the budget is used up");
  await page.getByText("no room", { exact: true }).waitFor();
  await page.getByLabel("Model", { exact: true }).fill("gpt-4o");
  await button(page, "Try").click();
  await page.getByText("The call would be refused: 429").waitFor();
  await button(page, "Delete budget: daily").click();
  await inDialog(page, "Delete budget").click();
  await page.getByText("No budget yet").waitFor();
  await button(page, "Try").click();
  await page.getByText("The call would pass").waitFor();
  expect(await call()).toBe(200);
});

test("a backup is a job, whose file can be had, and the audit log has all of it", async () => {
  const page = await surfer.page(stack, "instance");
  await button(page, "Back up now").click();
  await page.getByText("Backup started").waitFor();
  await page.goto(stack.page("instance/jobs"));
  await page.getByText("done", { exact: true }).waitFor();
  const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: /^Download/ }).click()]);
  expect(await file.failure()).toBeNull();
  await page.goto(stack.page("instance/audit"));
  await page.getByRole("listitem").first().waitFor();
  const entries = (await page.getByRole("listitem").allInnerTexts()).join("\n");
  expect(entries).toContain("backup");
  expect(entries).toContain("openai/default");
});

test("the first person is whoever is there, others get a link, and roles are changed", async () => {
  const page = await surfer.page(stack, "instance/members");
  await button(page, "Add a person").first().click();
  await page.getByRole("heading", { name: "Add yourself" }).waitFor();
  await page.getByRole("dialog").getByLabel("E-mail address").fill("ada@example.com");
  await inDialog(page, "Add a person").click();
  await page.waitForURL(/\/ui\/claim/);
  await page.locator("input[type=password]").fill("correct horse battery staple");
  await page.locator("main button[type=submit]").click();
  await page.waitForURL((url) => !url.pathname.endsWith("/claim"));
  await page.goto(stack.page("instance/members"));
  await button(page, "Add a person").first().click();
  await page.getByRole("dialog").getByLabel("E-mail address").fill("bob@example.com");
  await inDialog(page, "Add a person").click();
  await page.getByRole("heading", { name: "Send this link" }).waitFor();
  expect(await page.getByRole("dialog").locator("code").innerText()).toContain(`${stack.url}/ui/claim`);
  await page.keyboard.press("Escape");
  const role = page.getByRole("combobox", { name: "Role: bob@example.com" });
  await role.selectOption("editor");
  await page.reload();
  expect(await role.inputValue()).toBe("editor");
  await button(page, "Remove person: bob@example.com").click();
  await inDialog(page, "Remove person").click();
  await role.waitFor({ state: "detached" });
});
