import { expect, it } from "vitest";
import { diffTexts } from "./diff";

it("tells what was added and what is gone", () => {
  expect(diffTexts("a red house", "a blue house")).toEqual([
    { kind: "same", text: "a " }, { kind: "gone", text: "red" }, { kind: "added", text: "blue" }, { kind: "same", text: " house" },
  ]);
  expect(diffTexts("x", "x")).toEqual([{ kind: "same", text: "x" }]);
  expect(diffTexts("", "x")).toEqual([{ kind: "added", text: "x" }]);
});

it("both texts can be put together from it", () => {
  const a = "one two three four five".repeat(50);
  const b = "two one three six five".repeat(50);
  const pieces = diffTexts(a, b);
  expect(pieces.filter((p) => p.kind !== "added").map((p) => p.text).join("")).toBe(a);
  expect(pieces.filter((p) => p.kind !== "gone").map((p) => p.text).join("")).toBe(b);
});
