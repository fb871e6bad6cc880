// What every page stands in: languages, keys, small screens, other paths; signing in and out.
import { afterAll, beforeAll, expect, test } from "vitest";
import { Stack, Surfer, until, violations } from "./stack";

let stack: Stack;
let surfer: Surfer;
beforeAll(async () => {
  stack = await Stack.start({ args: ["serve"] });
  surfer = await Surfer.start();
  for (let i = 0; i < 3; i++) await stack.chat({ text: `call ${i}` });
  await stack.chat({ provider: "openai", model: "gpt-none" });
});
afterAll(async () => {
  await surfer?.stop();
  await stack?.stop();
});

test("gateways and home, full, in both themes, have no fault that axe knows", async () => {
  for (const colorScheme of ["light", "dark"] as const) {
    const page = await surfer.page(stack, "", { colorScheme });
    await page.getByRole("link", { name: "default", exact: true }).waitFor();
    expect(await violations(page)).toEqual([]);
    await page.getByRole("link", { name: "default", exact: true }).click();
    await page.getByText("Connect an application").waitFor();
    await page.getByText("echo/echo-1").first().waitFor();
    expect(await violations(page)).toEqual([]);
    await page.context().close();
  }
  expect(surfer.take()).toEqual([]);
});

test("both languages, and the choice stays", async () => {
  const page = await surfer.page(stack, "g/default");
  await page.getByText("Connect an application").waitFor();
  await page.getByRole("button", { name: /^Language/ }).click();
  await page.getByText("接入应用").waitFor();
  expect(await page.evaluate(() => document.documentElement.lang)).toBe("zh-Hans");
  await page.reload();
  await page.getByText("接入应用").waitFor();
  expect(await violations(page)).toEqual([]);
  await page.context().close();
  const chinese = await surfer.page(stack, "", { locale: "zh-CN" });
  await chinese.getByRole("heading", { level: 1, name: "网关" }).waitFor();
  await chinese.context().close();
});

test("a tour by the keyboard alone", async () => {
  const page = await surfer.page(stack, "");
  await page.getByRole("heading", { level: 1, name: "Gateways" }).waitFor();
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox", { name: "Go to, find, run" }).waitFor();
  await until(() => page.evaluate(() => document.activeElement?.getAttribute("role") === "combobox"), "the palette's field has the focus");
  await page.keyboard.type("analy");
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/g\/default\/analytics/);
  await page.keyboard.press("g");
  await page.keyboard.press("h");
  await page.waitForURL(/\/g\/default$/);
  await page.getByRole("heading", { level: 1, name: "default" }).waitFor();
  await until(() => page.evaluate(() => document.activeElement?.tagName === "H1"), "the focus follows to the title");
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
  expect(await violations(page)).toEqual([]);
  await page.getByRole("switch").click();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await page.keyboard.press("g");
  await page.keyboard.press("l");
  await page.keyboard.press("Control+k"); // with a modifier, it still works
  await page.getByRole("combobox", { name: "Go to, find, run" }).waitFor();
  expect(page.url()).toMatch(/\/g\/default$/);
  expect(surfer.take()).toEqual([]);
  await page.context().close();
});

test("the palette opens a log entry by its id", async () => {
  const [log] = await stack.api<{ id: string }[]>("/gateways/default/logs?per_page=1");
  const page = await surfer.page(stack, "g/default");
  await page.getByText("Connect an application").waitFor();
  await page.getByRole("button", { name: "Search", exact: true }).click();
  await page.getByRole("combobox", { name: "Go to, find, run" }).fill(log!.id);
  await page.keyboard.press("Enter");
  await page.waitForURL(new RegExp(`/logs/${log!.id}$`));
  await page.context().close();
});

test("at 320 px nothing is wider than the window", async () => {
  const page = await surfer.page(stack, "", { viewport: { width: 320, height: 640 } });
  for (const [path, ready] of [["", "Last request"], ["gateways/new", "Require a gateway token"], ["g/default", "echo/echo-1"]] as const) {
    await page.goto(stack.page(path));
    await page.getByText(ready).first().waitFor({ state: "attached" });
    expect(await page.evaluate(() => document.querySelector("main")!.scrollWidth <= innerWidth && document.documentElement.scrollWidth <= innerWidth), path).toBe(true);
  }
  await page.context().close();
});

test("below another path, by the setting and by a proxy's word", async () => {
  const below = await Stack.start({ config: "base_path: /a/b\n" });
  try {
    const page = await surfer.page(below, "g/default");
    await page.getByText("Listening").waitFor();
    await page.getByText(`${below.url}/a/b/v1/default/default/echo/chat/completions`).first().waitFor();
    await page.getByRole("button", { name: "Run it from here" }).click();
    await page.getByText("Your first request landed").waitFor();
    expect(surfer.take()).toEqual([]);
    await page.context().close();
    const told = await fetch(`${below.url}/a/b/ui/`, { headers: { "X-Forwarded-Prefix": "/x" } });
    expect(await told.text()).toContain('<base href="/x/a/b/ui/"');
  } finally {
    await below.stop();
  }
});

test("a link makes the first admin, who signs out and in again", async () => {
  const closed = await Stack.start();
  try {
    const link = await fetch(`${closed.url}/client/v4/claim/link`, { method: "POST", headers: { "X-Sluice-UI": "1" } }).then((a) => a.json() as Promise<{ result: { link: string } }>);
    const page = await surfer.page(closed, `claim#${link.result.link}`);
    await page.getByRole("heading", { name: "Become the admin" }).waitFor();
    expect(page.url()).not.toContain("#");
    expect(await violations(page)).toEqual([]);
    await page.getByLabel("E-mail address").fill("ann@example.com");
    await page.getByLabel("Password").fill("short");
    await page.getByText("This is shorter than").waitFor();
    await page.getByLabel("Password").fill("correct horse battery");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("heading", { level: 1, name: "Gateways" }).waitFor();
    await page.goto(closed.page("g/default/logs?q=status:error"));
    await page.getByLabel("Account").first().click();
    await page.getByText("ann@example.com").waitFor();
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByText("You are signed out.").waitFor();
    expect(await violations(page)).toEqual([]);
    await page.goto(closed.page("g/default/logs?q=status:error"));
    await page.waitForURL(/\/signin\?/);
    await page.getByLabel("E-mail address").fill("ann@example.com");
    await page.getByLabel("Password").fill("wrong wrong wrong");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("You are not signed in").waitFor();
    await page.getByLabel("Password").fill("correct horse battery");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.waitForURL(/\/g\/default\/logs\?q=status:error/);
    await page.goto(closed.page(`claim#${link.result.link}`));
    await page.getByText("This link does not serve").waitFor();
    await page.context().close();
  } finally {
    await closed.stop();
  }
});
