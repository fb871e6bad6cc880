// Pictures of every page in both themes, from sluice demo with a fixed seed: make shots. They go to e2e/shots/, which
// is not part of the repository.
import { spawn } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { chromium } from "playwright-core";

const binary = process.env.SLUICE_BIN ?? new URL("../../bin/sluice", import.meta.url).pathname;
const out = new URL("shots/", import.meta.url).pathname;
const sizes = { wide: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };

const port = await new Promise((done) => {
  const probe = createServer().listen(0, "127.0.0.1", () => {
    const { port } = probe.address();
    probe.close(() => done(port));
  });
});
const base = `http://127.0.0.1:${port}`;
const child = spawn(binary, ["demo", "--still", "--seed", "1", "--no-open", "--listen", `127.0.0.1:${port}`], { stdio: ["ignore", "inherit", "inherit"] });
const ended = new Promise((done) => child.once("exit", done));

async function until(condition, what) {
  for (const end = Date.now() + 60_000; Date.now() < end; await new Promise((next) => setTimeout(next, 50))) {
    if (await condition()) return;
    if (child.exitCode !== null) throw new Error(`sluice demo ended with ${child.exitCode}`);
  }
  throw new Error(`not within a minute: ${what}`);
}
const api = (path) => fetch(`${base}/client/v4/accounts/default/ai-gateway${path}`).then((a) => a.json(), () => undefined);

try {
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  await until(async () => (await api("/gateways"))?.result?.length === 3, "the demo's gateways are made");
  const found = async (q) => (await api(`/gateways/default/logs?basis=requests&per_page=1&q=${encodeURIComponent(q)}`)).result[0].id;
  const log = await found("attempts:>1 status:ok");
  const pages = {
    gateways: "",
    "new-gateway": "gateways/new",
    home: "g/default",
    "first-run": "g/fresh",
    logs: "g/default/logs",
    "log-panel": `g/default/logs?log=${log}`,
    "log-page": `g/default/logs/${log}`,
    "logs-errors": "g/default/logs?q=status:error",
    analytics: "g/default/analytics",
    playground: "g/default/playground",
    providers: "g/default/providers",
    keys: "g/default/keys",
    budgets: "g/support/budgets",
    settings: "g/default/settings",
    instance: "instance",
    signin: "signin",
    "not-found": "nowhere",
  };
  await fetch(`${base}/client/v4/accounts/default/ai-gateway/gateways`, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Sluice-UI": "1" },
    body: JSON.stringify({ id: "fresh", collect_logs: true, cache_ttl: 0, cache_invalidate_on_update: false, rate_limiting_interval: 0, rate_limiting_limit: 0 }),
  });
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-dev-shm-usage"] });
  for (const [size, viewport] of Object.entries(sizes)) {
    for (const colorScheme of ["light", "dark"]) {
      const context = await browser.newContext({ viewport, colorScheme, locale: "en-US", timezoneId: "Europe/Paris", reducedMotion: "reduce" });
      const page = await context.newPage();
      for (const [name, path] of Object.entries(pages)) {
        await page.goto(`${base}/ui/${path}`);
        await page.locator("h1").first().waitFor({ state: "attached" });
        // Nothing is being fetched any more: the live stream never ends, so the network is never quiet.
        await page.waitForFunction(() => document.querySelector("main [aria-busy=true]") === null && document.fonts.status === "loaded");
        await page.evaluate(() => new Promise((next) => requestAnimationFrame(() => requestAnimationFrame(next))));
        await page.screenshot({ path: `${out}${name}-${size}-${colorScheme}.png` });
      }
      await context.close();
    }
  }
  await browser.close();
  console.log(`pictures of ${Object.keys(pages).length} pages are in ${out}`);
} finally {
  child.kill("SIGTERM");
  await ended;
}
