import { beforeEach, expect, test } from "vitest";
import type { Analytics } from "@/api/types.gen";
import { change, colours, csv, intervalRange, linesOf, stacked } from "./data";

beforeEach(() => localStorage.clear());

function answer(series: { key: string; values: (number | null)[]; total: number | null }[]): Analytics {
  return { t: ["a", "b"], series: series.map((s) => ({ metric: "requests", ...s })) } as unknown as Analytics;
}

const plain = (key: string) => key || "none";

test("the greatest six have lines of their own, the others one together, and nothing is lost", () => {
  const series = Array.from({ length: 9 }, (_, i) => ({ key: `m${i}`, values: [i, i % 2 ? null : 2 * i], total: i }));
  const lines = linesOf(answer(series), "requests", plain, "Other", () => "series-1");
  expect(lines.map((l) => l.label)).toEqual(["m8", "m7", "m6", "m5", "m4", "m3", "Other"]);
  expect(lines[6]!.values).toEqual([0 + 1 + 2, 0 + 4]);
  expect(lines.reduce((n, l) => n + l.total!, 0)).toBe(36);
});

test("seven series need no rest, and what is not known stays so", () => {
  const series = Array.from({ length: 7 }, (_, i) => ({ key: `m${i}`, values: [null, 1], total: null }));
  const lines = linesOf(answer(series), "requests", plain, "Other", () => "x");
  expect(lines).toHaveLength(7);
  expect(lines[0]!.values).toEqual([null, 1]);
});

test("bars lie on each other, and a gap stays a gap", () => {
  const lines = linesOf(
    answer([
      { key: "a", values: [3, null], total: 3 },
      { key: "b", values: [2, null], total: 2 },
    ]),
    "requests", plain, "Other", () => "x",
  );
  expect(stacked(lines)).toEqual([
    [3, null],
    [5, null],
  ]);
});

test("a name keeps its colour, and colours are spread evenly", () => {
  const first = colours();
  const given = ["a", "b", "c", "d", "e", "f"].map(first);
  expect(new Set(given).size).toBe(6);
  const later = colours();
  expect(later("c")).toBe(given[2]);
  localStorage.setItem("sluice.colours", '[["a", 99], 7]');
  expect(colours()("a")).toMatch(/^series-[1-6]$/);
});

test("CSV is quoted, and no cell is a formula", () => {
  const lines = linesOf(answer([{ key: '=1+"x",', values: [1, null], total: 1 }]), "requests", plain, "Other", () => "x");
  expect(csv(["t1", "t2"], lines, "time")).toBe('time,"\'=1+""x"","\r\nt1,1\r\nt2,\r\n');
});

test("an interval ends where the next begins, the last one with the range", () => {
  const t = ["2026-11-24T10:00:00.000Z", "2026-11-24T10:15:00.000Z"];
  expect(intervalRange(t, "2026-11-24T10:21:00.000Z", 0)).toBe("2026-11-24T10:00Z..2026-11-24T10:15Z");
  expect(intervalRange(t, "2026-11-24T10:21:00.000Z", 0, 1)).toBe("2026-11-24T10:00Z..2026-11-24T10:21Z");
});

test("a change needs something to compare with", () => {
  expect(change(3, 2)).toBe(0.5);
  expect(change(3, 0)).toBeNull();
  expect(change(null, 2)).toBeNull();
});
