import { expect, test } from "vitest";
import { merge } from "./recent";

const log = (id: string, ending = "complete") => ({ id, ending });
const ids = (list: { id: string }[]) => list.map((l) => l.id).join("");

test("the newest come first, each once, in its last state", () => {
  const list = merge([log("b"), log("a")], [{ type: "open", matches: true, log: log("d", "in_flight") }, { type: "open", matches: true, log: log("c", "in_flight") }, { type: "close", matches: true, log: log("d") }], 3);
  expect(ids(list)).toBe("dcb");
  expect(list[0]!.ending).toBe("complete");
});

test("what was deleted, or no longer passes the filter, goes", () => {
  expect(ids(merge([log("b"), log("a")], [{ type: "delete", ids: ["b"] }], 8))).toBe("a");
  expect(ids(merge([log("b"), log("a")], [{ type: "close", matches: false, log: log("a") }], 8))).toBe("b");
  expect(ids(merge([log("a")], [{ type: "drop", n: 3 }, { type: "resync" }], 8))).toBe("a");
});
