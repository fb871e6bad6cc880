// Every pair of colours that text, controls and charts stand in has the contrast that WCAG 2.2 AA wants, computed from
// the style sheet itself.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const sheet = readFileSync("src/app/styles.css", "utf8");

function tokens(theme: "light" | "dark"): Record<string, string> {
  const block = new RegExp(`\\[data-theme="${theme}"\\] \\{([^}]*)\\}`).exec(sheet)![1]!;
  return Object.fromEntries([...block.matchAll(/--([\w-]+):\s*(#[0-9a-f]{6});/g)].map((m) => [m[1]!, m[2]!]));
}

function luminance(hex: string): number {
  const [r, g, b] = [1, 3, 5].map((i) => {
    const c = parseInt(hex.slice(i, i + 2), 16) / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
}

function contrast(a: string, b: string): number {
  const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (high! + 0.05) / (low! + 0.05);
}

const grounds = ["canvas", "surface", "sunken", "hover"];
const pairs: [string, string[], number][] = [
  ...["text", "muted", "faint", "accent", "ok", "warn", "bad", "cache", "block"].map((ink): [string, string[], number] => [ink, grounds, 4.5]),
  ...["ok", "warn", "bad", "cache", "block"].map((ink): [string, string[], number] => [ink, [`${ink}-soft`], 4.5]),
  ["on-accent", ["accent"], 4.5],
  ["control", grounds, 3],
  ...[1, 2, 3, 4, 5, 6, "other"].map((n): [string, string[], number] => [`series-${n}`, ["surface"], 3]),
];

for (const theme of ["light", "dark"] as const) {
  test(`contrasts of the ${theme} theme`, () => {
    const colours = tokens(theme);
    const low = pairs.flatMap(([ink, on, least]) =>
      on.filter((ground) => !(contrast(colours[ink]!, colours[ground]!) >= least)).map((ground) => `${ink} on ${ground}: ${contrast(colours[ink]!, colours[ground]!).toFixed(2)}, not ${least}`),
    );
    expect(low).toEqual([]);
  });
}

test("both themes have the same tokens", () => {
  expect(Object.keys(tokens("dark")).sort()).toEqual(Object.keys(tokens("light")).sort());
});
