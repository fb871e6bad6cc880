// Every page, in each of its states and both themes: nothing that axe-core finds wrong, no sideways scroll of the
// document at 320 px, and nothing but the server asked.
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { Stack, Surfer, until, violations } from "./stack";

const ofGateway = ["", "/logs", "/logs/{log}", "/analytics", "/playground", "/providers", "/keys", "/budgets", "/settings", ...["caching", "limits", "retries", "logs", "access", "domains", "history"].map((s) => `/settings/${s}`)];
const routes = ["", "gateways/new", "signin", "claim", "nowhere", "instance", "instance/members", "instance/jobs", "instance/audit", ...ofGateway.map((path) => `g/default${path}`)];

const themes = ["light", "dark"] as const;
type Theme = (typeof themes)[number];

/** An answer of the API in place of the real one (0: none); the session is the real one, or no page would show. They
 * look alike, so that one of them in both themes is enough. */
const refusals: [name: string, status: number, themes: readonly Theme[]][] = [
  ["every call fails", 500, themes],
  ["every call is denied", 403, ["dark"]],
  ["no call is answered", 0, ["light"]],
];

/** Each of these tests opens all pages. */
const long = { timeout: 400_000 };

let surfer: Surfer;
let empty: Stack;
let full: Stack;
let log: string;

beforeAll(async () => {
  surfer = await Surfer.start();
  empty = await Stack.start();
  full = await Stack.start({ args: ["demo", "--still", "--no-open", "--requests", "600", "--listen", "127.0.0.1:{port}"] });
  const [newest] = await until(async () => {
    const rows = await full.api<{ id: string }[]>("/gateways/default/logs?per_page=1").catch(() => []);
    return rows.length > 0 && rows;
  }, "the made-up traffic is there");
  log = newest!.id;
}, 120_000);
afterAll(async () => {
  await surfer?.stop();
  await empty?.stop();
  await full?.stop();
});
afterEach(() => {
  expect(surfer.take()).toEqual([]);
});

/** A page whose parts have all been loaded. */
async function settled(page: Page) {
  await page.locator("h1").first().waitFor();
  await until(async () => (await page.locator('[aria-busy="true"]').count()) === 0, `${page.url()} is loaded`);
}

/** Whether the document itself can be scrolled sideways, and by what. */
function tooWide(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width) return [];
    const wide = [...document.querySelectorAll("main *")].filter((e) => e.getBoundingClientRect().right > width + 1);
    return [`reflow: ${document.documentElement.scrollWidth} px wide: ${wide.slice(0, 3).map((e) => e.outerHTML.slice(0, 120)).join(" | ")}`];
  });
}

/** All that is wrong with a page, in the themes and on a narrow screen. */
async function faults(page: Page, stack: Stack, route: string, shown: readonly Theme[]): Promise<string[]> {
  const found: string[] = [];
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.goto(stack.page(route.replace("{log}", log)));
  await settled(page);
  for (const colorScheme of shown) {
    await page.emulateMedia({ colorScheme });
    await page.waitForFunction((theme) => document.documentElement.dataset.theme === theme, colorScheme);
    for (const fault of await violations(page)) found.push(`${route} (${colorScheme}): ${fault}`);
  }
  await page.setViewportSize({ width: 320, height: 640 });
  await settled(page);
  for (const fault of await tooWide(page)) found.push(`${route}: ${fault}`);
  return found;
}

async function all(page: Page, stack: Stack, shown = themes as readonly Theme[]): Promise<string[]> {
  const found: string[] = [];
  for (const route of routes) found.push(...(await faults(page, stack, route, shown)));
  return found;
}

describe("no page has a fault", () => {
  test("without traffic", long, async () => {
    const context = await surfer.context(empty, { reducedMotion: "reduce" });
    expect(await all(await context.newPage(), empty)).toEqual([]);
    await context.close();
  });

  test("with a day of traffic", long, async () => {
    const context = await surfer.context(full, { reducedMotion: "reduce" });
    expect(await all(await context.newPage(), full)).toEqual([]);
    await context.close();
  });

  test.each(refusals)("when %s", long, async (_, status, shown) => {
    const context = await surfer.context(full, { reducedMotion: "reduce" });
    await context.route("**/client/v4/**", (route) => {
      if (/\/session(\?|$)/.test(route.request().url())) return route.fallback();
      if (status === 0) return route.abort("connectionrefused");
      const body = { success: false, result: null, messages: [], errors: [{ code: 7000, message: "It did not work: the test wants it so." }] };
      return route.fulfill({ status, contentType: "application/json", headers: { "X-Request-Id": "0190-test" }, body: JSON.stringify(body) });
    });
    expect(await all(await context.newPage(), full, shown)).toEqual([]);
    await context.close();
  });
});

test("in Chinese, no text is missing, and all fits 320 px", long, async () => {
  const context = await surfer.context(full, { locale: "zh-CN", reducedMotion: "reduce", viewport: { width: 320, height: 640 } });
  const page = await context.newPage();
  const found: string[] = [];
  for (const route of routes) {
    await page.goto(full.page(route.replace("{log}", log)));
    await settled(page);
    const text = await page.locator("body").innerText();
    const key = /\b(?:shell|analytics|settings|providers|keys|budgets|instance|logs|detail|home|gateways|frame|copy|range|status)\.[a-z]\w+/.exec(text);
    if (key) found.push(`${route}: shows the key ${key[0]}`);
    if (!/\p{Script=Han}/u.test(await page.locator("main").innerText())) found.push(`${route}: is not Chinese`);
    for (const fault of await tooWide(page)) found.push(`${route}: ${fault}`);
  }
  expect(found).toEqual([]);
  await context.close();
});
