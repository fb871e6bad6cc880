// Measures what people feel of the list of logs: first paint, a usable page on a slow machine, scrolling through very
// many rows while more come in, and memory. It asserts nothing: times depend on the machine. `make web-measure` runs it.
import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { chromium } from "playwright-core";

const binary = process.env.SLUICE_BIN ?? new URL("../../bin/sluice", import.meta.url).pathname;
const rows = Number(process.env.ROWS ?? 100_000);
const tailSeconds = Number(process.env.TAIL_SECONDS ?? 60);
const rate = 200;

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const port = await new Promise((done) => {
  const probe = createServer().listen(0, "127.0.0.1", () => {
    const { port: free } = probe.address();
    probe.close(() => done(free));
  });
});
const url = `http://127.0.0.1:${port}`;
// Of the demo's traffic, some five eighths are the gateway default's.
const child = spawn(binary, ["demo", "--listen", `127.0.0.1:${port}`, "--no-open", "--still", "--requests", String(Math.ceil(rows * 1.7))], { stdio: "ignore" });
const report = (what, value, target) => console.log(`${what.padEnd(52)} ${String(value).padStart(12)}   ${target}`);

/** What a page went through: long tasks, and frames while something ran. */
const watch = () => {
  window.seen = { tasks: [], frames: 0, since: performance.now() };
  new PerformanceObserver((list) => window.seen.tasks.push(...list.getEntries().map((e) => e.duration))).observe({ type: "longtask", buffered: true });
  const frame = () => {
    window.seen.frames++;
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
};
const restart = () => {
  Object.assign(window.seen, { tasks: [], frames: 0, since: performance.now() });
};
const read = () => {
  const { tasks, frames, since } = window.seen;
  return { over: tasks.filter((d) => d > 50).length, longest: Math.max(0, ...tasks), fps: (frames * 1000) / (performance.now() - since) };
};
const round = (n) => Math.round(n * 10) / 10;

async function openPage(browser, slow) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  const session = await context.newCDPSession(page);
  if (slow > 1) await session.send("Emulation.setCPUThrottlingRate", { rate: slow });
  await page.goto(`${url}/ui/g/default/logs?range=7d`);
  await page.waitForSelector('[role=row][data-row]');
  const usable = await page.evaluate(() => performance.now());
  const paint = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? NaN);
  return { context, page, session, usable, paint };
}

async function heap(session) {
  await session.send("HeapProfiler.collectGarbage");
  const { usedSize } = await session.send("Runtime.getHeapUsage");
  return round(usedSize / 1e6);
}

/** Scrolls through what is loaded, for some seconds. */
async function scroll(page, seconds) {
  await page.evaluate(restart);
  await page.evaluate(async (ms) => {
    const grid = document.querySelector("[role=grid]");
    const end = performance.now() + ms;
    let down = true;
    while (performance.now() < end) {
      grid.scrollTop += down ? 900 : -900;
      if (grid.scrollTop + grid.clientHeight > grid.scrollHeight - 4000) down = false;
      if (grid.scrollTop < 4000) down = true;
      await new Promise(requestAnimationFrame);
    }
  }, seconds * 1000);
  return page.evaluate(read);
}

const calling = new AbortController();
let under = 0;
async function calls() {
  const body = JSON.stringify({ model: "echo-1", messages: [{ role: "user", content: "Hello" }] });
  for (let sent = 0, begin = performance.now(); !calling.signal.aborted; sent++) {
    const due = begin + (sent * 1000) / rate;
    if (due > performance.now()) await sleep(due - performance.now());
    if (under >= 100) continue; // a machine that cannot do as many does fewer
    under++;
    void fetch(`${url}/v1/default/default/echo/chat/completions`, { method: "POST", headers: { "Content-Type": "application/json" }, body })
      .then((a) => a.arrayBuffer())
      .catch(() => undefined)
      .finally(() => under--);
  }
}

let browser;
try {
  for (let i = 0; i < 1800; i++) {
    if (await fetch(`${url}/readyz`).then((a) => a.ok, () => false)) break;
    await sleep(200);
  }
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-dev-shm-usage"] });
  const cold = await openPage(browser, 1);
  report("first paint, cold cache (ms)", round(cold.paint), "< 1000");
  await cold.context.close();
  const slow = await openPage(browser, 4);
  report("usable list, CPU 4 times slower (ms)", round(slow.usable), "< 1500");
  await slow.context.close();

  const { page, session } = await openPage(browser, 1);
  await page.evaluate(watch);
  await page.evaluate(async (want) => {
    const grid = document.querySelector("[role=grid]");
    const held = () => grid.querySelector("[role=rowgroup]:not([data-head])").clientHeight / 32;
    const end = performance.now() + 300_000;
    while (held() < want && performance.now() < end && !grid.innerText.includes("No older requests")) {
      grid.scrollTop = grid.scrollHeight;
      await new Promise((next) => setTimeout(next, 20));
    }
  }, rows);
  report("rows loaded", await page.evaluate(() => Math.round(document.querySelector("[role=rowgroup]:not([data-head])").clientHeight / 32)), String(rows));
  report("heap with them (MB)", await heap(session), "< 150");
  const still = await scroll(page, 10);
  report("scrolling: frames per second", round(still.fps), ">= 55");
  report("scrolling: tasks over 50 ms (longest)", `${still.over} (${round(still.longest)})`, "0");
  void calls();
  const busy = await scroll(page, 10);
  report("scrolling, 200 rows/s come in: frames per second", round(busy.fps), ">= 55");
  report("scrolling, 200 rows/s: tasks over 50 ms (longest)", `${busy.over} (${round(busy.longest)})`, "0");
  await page.evaluate(() => document.querySelector("[role=grid]").scrollTo({ top: 0 }));
  await page.evaluate(restart);
  await sleep(tailSeconds * 1000);
  const tail = await page.evaluate(read);
  report(`tail for ${tailSeconds} s: frames per second`, round(tail.fps), ">= 55");
  report("tail: tasks over 50 ms (longest)", `${tail.over} (${round(tail.longest)})`, "0");
  report("heap after the tail (MB)", await heap(session), "< 150");
} finally {
  calling.abort();
  await browser?.close();
  child.kill("SIGTERM");
  await new Promise((done) => (child.exitCode === null ? child.once("exit", done) : done()));
}
