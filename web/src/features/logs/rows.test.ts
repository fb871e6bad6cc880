import { expect, test } from "vitest";
import type { Entry } from "@/api/types.gen";
import { maxRate, maxRows, maxTail, pageSize, Rows } from "./rows";

const id = (n: number) => n.toString(16).padStart(12, "0");
const row = (n: number, more: Partial<Entry> = {}): Entry => ({ id: id(n), created_at: new Date(n * 1000).toISOString(), ending: "complete", ...more });
const rows = (from: number, to: number) => Array.from({ length: Math.abs(to - from) + 1 }, (_, i) => row(from > to ? from - i : from + i));
const ids = (r: Rows) => r.list.map((one) => Number.parseInt(one.id, 16));
const close = (n: number, matches = true) => ({ type: "close" as const, matches, log: row(n) });

test("a request is opened, updated and closed in its place", () => {
  const r = new Rows();
  r.reset(rows(5, 1), null);
  r.live([{ type: "open", matches: true, log: row(7, { ending: "in_flight" }) }, close(8)], 0);
  expect(ids(r)).toEqual([8, 7, 5, 4, 3, 2, 1]);
  r.live([close(7), close(6)], 0);
  expect(ids(r)).toEqual([8, 7, 6, 5, 4, 3, 2, 1]);
  expect(r.list[1]!.ending).toBe("complete");
  r.live([close(8, false), { type: "delete", ids: [id(3)] }], 0);
  expect(ids(r)).toEqual([7, 6, 5, 4, 2, 1]);
});

test("while it is held, new rows wait and known ones change", () => {
  const r = new Rows();
  r.reset([row(2), row(1, { ending: "in_flight" })], null);
  r.hold(true);
  r.live([close(3), close(4), close(1)], 0);
  expect([ids(r), r.pending, r.list[1]!.ending]).toEqual([[2, 1], 2, "complete"]);
  expect(r.release()).toBe(2);
  expect([ids(r), r.pending]).toEqual([[4, 3, 2, 1], 0]);
});

test("the newest page closes a gap where it touches, and says where it does not", () => {
  const r = new Rows();
  r.reset(rows(400, 201), { cursor: "x" });
  expect(r.merge(rows(500, 301), false)).toBe(true);
  expect([r.list.length, ids(r)[0], ids(r).at(-1)]).toEqual([300, 500, 201]);
  expect(r.merge(rows(900, 701), false)).toBe(false);
  expect(r.merge(rows(3, 1), true)).toBe(true);
  expect(ids(r)).toEqual([3, 2, 1]);
});

test("a full page without a row says that the row is no more", () => {
  const r = new Rows();
  r.reset(rows(300, 101), { cursor: "x" });
  const page = rows(301, 101).filter((one) => one.id !== id(250)).slice(0, pageSize);
  expect(r.merge(page, false)).toBe(true);
  expect([r.has(id(250)), r.has(id(301)), r.has(id(101))]).toEqual([false, true, true]);
});

test("far rows are dropped and can be fetched again", () => {
  const r = new Rows();
  r.reset(rows(200_000, 199_801), { cursor: "x" });
  let dropped = 0;
  for (let last = 199_801; last > 90_000; last -= pageSize) dropped += r.addOlder(rows(last - 1, last - pageSize), { cursor: "y" });
  expect(r.list.length).toBe(maxRows);
  expect(dropped).toBeGreaterThan(0);
  expect(r.newer).toEqual({ from: r.list[0]!.created_at });
  const top = ids(r)[0]!;
  expect(r.addNewer(rows(top, top + 10), null)).toBe(10);
  expect([ids(r)[0], r.list.length]).toEqual([top + 10, maxRows]);
  expect(r.older).toEqual({ from: r.list.at(-1)!.created_at });
});

test("a long tail is trimmed, and a fast one skips and counts", () => {
  const r = new Rows();
  r.reset([], null);
  for (let s = 0; s < 30; s++) r.live(rows(s * 100, s * 100 + 99).map((one) => ({ type: "close" as const, matches: true, log: one })), s * 1000);
  expect([r.list.length, r.skipped]).toEqual([maxTail, 0]);
  r.live(rows(5000, 5000 + maxRate + 49).map((one) => ({ type: "close" as const, matches: true, log: one })), 99_000);
  expect(r.skipped).toBe(50);
});
