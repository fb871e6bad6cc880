// Every text that people read is in src/messages, in all languages: a literal text in JSX, or in an attribute that is
// read, is refused, and so is a raw colour class. Ends with 1 where one is found.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";

const root = new URL("../", import.meta.url).pathname;
const found = [];

const checks = [
  // Text between tags: two letters in a row that are not within braces.
  [/(?<!=)>([^<>{}=;()]*\p{L}{2,}[^<>{}=;()]*)<\/?[A-Za-z]/gu, "text in JSX belongs into messages"],
  [/\b(?:title|label|placeholder|alt|aria-label|description|help)="([^"]*\p{L}{2,}[^"]*)"/gu, "text in an attribute belongs into messages"],
  [/\b(?:bg|text|border|ring|fill|stroke|outline|from|to|via)-(?:slate|gray|zinc|neutral|stone|red|orange|amber|yellow|lime|green|emerald|teal|cyan|sky|blue|indigo|violet|purple|fuchsia|pink|rose|black|white)(?:-\d+)?\b/gu, "colours come from the tokens"],
  [/(?:^|[\s"'`])dark:(?=[a-z])/gu, "themes are the tokens' business, not a class's"],
  [/dangerouslySetInnerHTML|\.innerHTML\b|insertAdjacentHTML/gu, "markup from data is never run"],
];

function walk(dir) {
  for (const name of readdirSync(dir)) {
    const path = join(dir, name);
    if (statSync(path).isDirectory()) {
      if (name !== "messages" && name !== "testdata") walk(path);
    } else if (name.endsWith(".tsx") && !name.endsWith(".test.tsx")) look(path);
  }
}

function look(path) {
  const text = readFileSync(path, "utf8").replace(/\/\*[\s\S]*?\*\/|(^|\s)\/\/.*$/gm, (c) => c.replace(/[^\n]/g, " "));
  for (const [pattern, why] of checks) {
    for (const m of text.matchAll(pattern)) {
      if (/^[a-z]+\.\w+$/.test(m[1] ?? "")) continue; // the key of a message
      const line = text.slice(0, m.index).split("\n").length;
      found.push(`${relative(root, path)}:${line}: ${why}: ${JSON.stringify((m[1] ?? m[0]).trim().slice(0, 60))}`);
    }
  }
}

walk(join(root, "src"));
for (const line of found) console.log(line);
process.exit(found.length ? 1 : 0);
