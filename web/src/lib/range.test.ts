import { describe, expect, test } from "vitest";
import { boundsOf, fromWallClock, parseRange, rangeOf, wallClock } from "./range";

describe("a range of time", () => {
  test.each(["15m", "24h", "7d", "4w", "2026-11-01..", "..2026-11-02", "2026-11-01T00:00Z..2026-11-02T00:00:30Z", "2026-11-01T00:00+01:00..2026-11-01T01:00+01:00"])("%s is one", (text) => {
    expect(parseRange(text)?.text).toBe(text);
  });
  test.each(["", "0h", "24", "h", "..", "yesterday", "2026-11-02..2026-11-01", "a..b", "2026-11-01..2026-11-02..2026-11-03"])("%s is none", (text) => {
    expect(parseRange(text)).toBeUndefined();
  });
  test("it moves on where it has no end", () => {
    expect(parseRange("24h")?.relative).toBe(true);
    expect(parseRange("2026-11-01..")?.relative).toBe(true);
    expect(parseRange("2026-11-01..2026-11-02")?.relative).toBe(false);
  });
  test("its bounds are moments", () => {
    expect(boundsOf({ text: "2h", relative: true }, 10_000_000)).toEqual([2_800_000, 10_000_000]);
    const from = Date.UTC(2026, 10, 1), to = Date.UTC(2026, 10, 2, 3, 4, 5);
    const text = rangeOf(new Date(from), new Date(to));
    expect(text).toBe("2026-11-01T00:00Z..2026-11-02T03:04:05Z");
    expect(boundsOf(parseRange(text)!)).toEqual([from, to]);
  });
});

describe("wall clocks", () => {
  test.each([["Europe/Paris"], ["America/New_York"], ["Asia/Kolkata"], ["UTC"]])("%s there and back", (zone) => {
    for (const text of ["2026-11-24T14:30", "2026-07-01T00:00", "2026-03-29T12:00", "2026-10-25T12:00"]) {
      expect(wallClock(fromWallClock(text, zone), zone)).toBe(text);
    }
  });
  test("an hour that is skipped is the one after", () => {
    expect(wallClock(fromWallClock("2026-03-29T02:30", "Europe/Paris"), "Europe/Paris")).toMatch(/T0[13]:30$/);
  });
});
