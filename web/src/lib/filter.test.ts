import { expect, test } from "vitest";
// The corpus is the Go parser's, too.
import corpus from "../../../internal/reqlog/testdata/filters.json";
import { fieldOf, FilterError, fields, parseFilter, printFilter } from "./filter";

const plain = (text: string) => parseFilter(text).map(({ from: _from, to: _to, ...term }) => term);

test.each(corpus.parsed.map((c) => [c.in, c] as const))("reads %s", (text, c) => {
  expect(plain(text)).toEqual(c.terms);
  expect(printFilter(parseFilter(text))).toBe(c.text);
  expect(plain(c.text)).toEqual(c.terms);
});

test.each(corpus.refused)("refuses %s", (text) => {
  expect(() => parseFilter(text)).toThrow(FilterError);
});

test("a term knows its place, and a fault too", () => {
  const text = "status:error  -model:gpt-* x";
  expect(parseFilter(text).map((t) => text.slice(t.from, t.to))).toEqual(["status:error", "-model:gpt-*", "x"]);
  const wrong = "status:ok provder:openai";
  try {
    parseFilter(wrong);
    expect.unreachable();
  } catch (e) {
    const fault = e as FilterError;
    expect([fault.fault, wrong.slice(fault.from, fault.to), fault.example]).toEqual(["unknownField", "provder:", "provider"]);
  }
});

test("the table has every field of the corpus, once", () => {
  const names = fields.flatMap((f) => [f.name, ...(f.aliases ?? [])]);
  expect(new Set(names).size).toBe(names.length);
  for (const c of corpus.parsed) for (const t of c.terms) expect(fieldOf(t.field)).toBeDefined();
  for (const f of fields) expect(plain(f.example)[0]?.field).toBe(f.name);
});
