import { expect, test } from "vitest";
import { slugOf, validSlug } from "./slug";

test.each([
  ["Prod", "prod"],
  ["Équipe Café 2", "equipe-cafe-2"],
  ["  --a b--  ", "a-b"],
  ["support_eu", "support_eu"],
  ["日本", ""],
])("%s becomes %s", (name, id) => {
  expect(slugOf(name)).toBe(id);
  expect(validSlug(slugOf(name))).toBe(id !== "");
});

test("a long name is cut", () => expect(slugOf("x".repeat(99))).toHaveLength(64));
