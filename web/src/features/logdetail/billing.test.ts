import { expect, it } from "vitest";
import { billed } from "./billing";

it("counts each token once", () => {
  const rows = billed({ basis: "provider", input: 1204, cache_read: 1024, output: 88, reasoning: 64, web_searches: 2 }, { input: "1", cache_read: "0.1", output: "5", web_searches: "10" });
  expect(rows).toEqual([
    { name: "input", units: 180, price: 1, amount: 0.00018 },
    { name: "cache_read", units: 1024, price: 0.1, amount: expect.closeTo(0.0001024, 12) },
    { name: "output", units: 88, price: 5, amount: 0.00044 },
    { name: "web_searches", units: 2, price: 10, amount: 0.02 },
  ]);
});

it("does not know what has no price", () => {
  expect(billed({ basis: "provider", input: 5 }, {})).toEqual([{ name: "input", units: 5, price: undefined, amount: undefined }]);
});
