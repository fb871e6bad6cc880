// The size budgets of the pages (docs/dashboard.md), in bytes after gzip. Ends with 1 where one is passed.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { gzipSync } from "node:zlib";

const dist = new URL("../dist/", import.meta.url).pathname;
const KB = 1000;
const manifest = JSON.parse(readFileSync(dist + ".vite/manifest.json", "utf8"));
const gzipped = (file) => gzipSync(readFileSync(dist + file), { level: 9 }).length;

/** All script files that a module needs at once: itself and what it imports, not what it may load later. */
function closure(key, seen = new Set()) {
  const chunk = manifest[key];
  if (!chunk || seen.has(chunk.file)) return seen;
  seen.add(chunk.file);
  for (const next of chunk.imports ?? []) closure(next, seen);
  return seen;
}
const sum = (files) => [...files].reduce((n, f) => n + gzipped(f), 0);

const entry = closure("index.html");
const english = closure("src/messages/en.ts");
const logs = new Set([...entry, ...english, ...closure("src/features/logs/index.tsx")]);
const ui = Object.values(manifest).filter((c) => c.name === "ui").map((c) => c.file);
const assets = readdirSync(dist + "assets");
const styles = assets.filter((f) => f.endsWith(".css")).map((f) => "assets/" + f);
const fonts = assets.filter((f) => f.endsWith(".woff2"));
const lazy = assets.filter((f) => f.endsWith(".js") && !entry.has("assets/" + f)).map((f) => [f, gzipped("assets/" + f)]).sort((a, b) => b[1] - a[1]);

const rows = [
  ["entry scripts", sum(entry), 165 * KB],
  ["first view of the logs, scripts", sum([...logs].filter((f) => !ui.includes(f))), 200 * KB],
  ["the same with the ui chunk", sum(new Set([...logs, ...ui])), 285 * KB],
  ["styles", sum(styles), 25 * KB],
  ["fonts", fonts.reduce((n, f) => n + statSync(dist + "assets/" + f).size, 0), 60 * KB],
  [`largest other chunk (${lazy[0][0]})`, lazy[0][1], 140 * KB],
];
let passed = true;
for (const [what, size, limit] of rows) {
  const fits = size <= limit;
  passed &&= fits;
  console.log(`${fits ? "ok  " : "OVER"} ${what}: ${(size / KB).toFixed(1)} of ${limit / KB} KB`);
}
process.exit(passed ? 0 : 1);
