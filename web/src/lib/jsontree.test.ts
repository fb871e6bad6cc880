import { expect, it } from "vitest";
import { flatten, parseAny, visibleRows } from "./jsontree";

it("has a row for each value, and hides what is folded", () => {
  const { nodes, cut } = flatten({ a: [1, { b: null }], c: "x" }, 100);
  expect(cut).toBe(false);
  expect(nodes.map((n) => [n.depth, n.key, n.text])).toEqual([[0, null, "2"], [1, "a", "2"], [2, 0, "1"], [2, 1, "1"], [3, "b", "null"], [1, "c", "\"x\""]]);
  expect(visibleRows(nodes, new Set([1]))).toEqual([0, 1, 5]);
  expect(visibleRows(nodes, new Set([0]))).toEqual([0]);
});

it("stops at so many rows, and says so", () => {
  const { nodes, cut } = flatten(Array.from({ length: 50 }, (_, i) => i), 10);
  expect(nodes).toHaveLength(10);
  expect(cut).toBe(true);
});

it("makes chips of data URLs and cuts long texts", () => {
  const { nodes } = flatten([`data:image/png;base64,${"A".repeat(9000)}`, "y".repeat(5000)], 10);
  expect(nodes[1]).toMatchObject({ kind: "more", text: "image/png", length: 9022 });
  expect(nodes[2]).toMatchObject({ kind: "string", length: 5000 });
  expect(nodes[2]!.text).toHaveLength(2002);
});

it("reads lines of JSON as a list", () => {
  expect(parseAny("{\"a\":1}\n{\"a\":2}\n")).toEqual([{ a: 1 }, { a: 2 }]);
  expect(() => parseAny("{\"a\":")).toThrow();
});
