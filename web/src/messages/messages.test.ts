// Every text has a place where it is shown, every place its text, and all languages fill in the same.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import en from "./en";
import zh from "./zh";
import type { Message } from "./index";

const root = join(import.meta.dirname, "..");

function sources(dir: string): string[] {
  return readdirSync(dir).flatMap((name) => {
    const path = join(dir, name);
    if (statSync(path).isDirectory()) return name === "messages" ? [] : sources(path);
    return /\.tsx?$/.test(name) && !name.includes(".test.") ? [readFileSync(path, "utf8")] : [];
  });
}

const sections = Object.entries(en) as [string, Record<string, Message>][];
const keys = sections.flatMap(([section, texts]) => Object.keys(texts).map((key) => `${section}.${key}`));
const code = sources(root).join("\n");

/** What stands in the sources as a key, whole or begun: `keys.${status}` begins every key of its section. */
const whole = new Set([...code.matchAll(/["'`](\w+\.\w+)["'`]/g)].map((m) => m[1]!));
const begun = [...code.matchAll(/`(\w+\.\w*)\$\{[^}]+\}(\w*)`/g)].map((m) => [m[1]!, m[2]!] as const).filter(([start]) => sections.some(([section]) => start.startsWith(`${section}.`)));

test("no text is without use", () => {
  const unused = keys.filter((key) => !whole.has(key) && !begun.some(([start, end]) => key.startsWith(start) && key.endsWith(end)));
  expect(unused).toEqual([]);
});

test("no key is without a text", () => {
  const asked = [...code.matchAll(/\bt\(\s*["'`](\w+\.\w+)["'`]/g)].map((m) => m[1]!);
  expect(asked.length).toBeGreaterThan(300);
  expect(asked.filter((key) => !keys.includes(key))).toEqual([]);
});

test("all languages fill in the same, and have no text that English lacks", () => {
  const slots = (message: Message) => [...new Set([...(typeof message === "string" ? message : Object.values(message).join(" ")).matchAll(/\{(\w+)\}/g)].map((m) => m[1]!))].toSorted().join();
  const other = zh as Record<string, Record<string, Message>>;
  const wrong = sections.flatMap(([section, texts]) => {
    const theirs = other[section] ?? {};
    const extra = Object.keys(theirs).filter((key) => !(key in texts));
    return [...extra, ...Object.entries(texts).filter(([key, text]) => theirs[key] === undefined || slots(theirs[key]) !== slots(text)).map(([key]) => key)].map((key) => `${section}.${key}`);
  });
  expect(wrong).toEqual([]);
});
