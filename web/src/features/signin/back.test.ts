import { expect, test } from "vitest";
import { safeReturn } from "./back";

test.each([
  [undefined, "/"],
  ["/g/default/logs?q=status:error", "/g/default/logs?q=status:error"],
  ["/ui/g/default", "/g/default"],
  ["//evil.test/", "/"],
  ["/\\evil.test/", "/"],
  ["https://evil.test/", "/"],
  ["javascript:alert(1)", "/"],
  ["/signin?to=/x", "/"],
])("%s leads to %s", (to, back) => expect(safeReturn(to, "/ui")).toBe(back));
