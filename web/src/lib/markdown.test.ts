import { expect, it } from "vitest";
import { parseInline, parseMarkdown, safeLink } from "./markdown";

it("reads the blocks that models write", () => {
  const blocks = parseMarkdown("# Title\nText\nmore\n\n- one\n- two\n  - inner\n\n1. a\n2. b\n\n> said\n\n```py\nx = 1\n# no heading\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n---\nend");
  expect(blocks.map((b) => b.kind)).toEqual(["heading", "paragraph", "list", "list", "quote", "code", "table", "rule", "paragraph"]);
  expect(blocks[2]).toMatchObject({ ordered: false, items: [[{ kind: "paragraph" }], [{ kind: "paragraph" }, { kind: "list" }]] });
  expect(blocks[3]).toMatchObject({ ordered: true, start: 1 });
  expect(blocks[5]).toEqual({ kind: "code", language: "py", text: "x = 1\n# no heading" });
});

it("reads what is within a line", () => {
  expect(parseInline("a **b *c*** `d*` [e](https://x.y/z) https://x.y. \\*f")).toMatchObject([
    { kind: "text", text: "a " }, { kind: "strong" }, { kind: "text", text: " " }, { kind: "code", text: "d*" }, { kind: "text", text: " " },
    { kind: "link", href: "https://x.y/z" }, { kind: "text", text: " " }, { kind: "link", href: "https://x.y" }, { kind: "text", text: ". *f" },
  ]);
  expect(parseInline("![pic](https://x/a.png)")).toEqual([{ kind: "image", src: "https://x/a.png", alt: "pic" }]);
  expect(parseInline("snake_case_name and 2*3*4")).toMatchObject([{ kind: "text", text: "snake_case_name and 2" }, { kind: "em" }, { kind: "text", text: "4" }]);
});

it("leaves HTML as text", () => {
  expect(parseMarkdown("<script>alert(1)</script> <img src=x onerror=y>")).toEqual([
    { kind: "paragraph", children: [{ kind: "text", text: "<script>alert(1)</script> <img src=x onerror=y>" }] },
  ]);
});

it("follows no address that runs something", () => {
  for (const href of ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "/relative", "vbscript:x"]) expect(safeLink(href)).toBeUndefined();
  expect(safeLink("https://example.com/a")).toEqual({ href: "https://example.com/a", host: "example.com" });
});

it("an unfinished code block is one, as in a stream", () => {
  expect(parseMarkdown("```js\nlet a")).toEqual([{ kind: "code", language: "js", text: "let a" }]);
});

it("takes no text apart for long", () => {
  for (const piece of ["*", "**a", "_", "[", "![", "`", "> ", "- ", "|", "  - x\n", "1. ", "~~", "[a](", "<http://", "\\"]) {
    const blocks = parseMarkdown(piece.repeat(8_000));
    expect(JSON.stringify(blocks).length).toBeGreaterThan(0);
  }
});
