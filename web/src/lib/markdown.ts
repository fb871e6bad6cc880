// Markdown as models write it, parsed into a tree that pages make elements of. HTML in it stays text.

export type Inline =
  | { kind: "text" | "code"; text: string }
  | { kind: "strong" | "em" | "del"; children: Inline[] }
  | { kind: "link"; href: string; children: Inline[] }
  | { kind: "image"; src: string; alt: string }
  | { kind: "break" };

export type Block =
  | { kind: "paragraph"; children: Inline[] }
  | { kind: "heading"; level: number; children: Inline[] }
  | { kind: "code"; language: string; text: string }
  | { kind: "list"; ordered: boolean; start: number; items: Block[][] }
  | { kind: "quote"; children: Block[] }
  | { kind: "table"; head: Inline[][]; rows: Inline[][][] }
  | { kind: "rule" };

/** Lists and quotes within others are read down to here; what is deeper stays text. */
const deepest = 8;

export function parseMarkdown(source: string, depth = 0): Block[] {
  const lines = source.replace(/\r\n?/g, "\n").split("\n");
  const blocks: Block[] = [];
  let paragraph: string[] = [];
  const flush = () => {
    if (paragraph.length) blocks.push({ kind: "paragraph", children: parseInline(paragraph.join("\n")) });
    paragraph = [];
  };
  for (let i = 0; i < lines.length; ) {
    const taken = blockAt(lines, i, depth, paragraph.length > 0);
    if (taken) {
      flush();
      blocks.push(taken.block);
      i = taken.next;
    } else {
      if (lines[i]!.trim() === "") flush();
      else paragraph.push(lines[i]!);
      i++;
    }
  }
  flush();
  return blocks;
}

type Taken = { block: Block; next: number } | undefined;

const fence = /^ {0,3}(`{3,}|~{3,})\s*([^\s`]*)/;
const heading = /^ {0,3}(#{1,6})\s+(.*)$/;
const rule = /^ {0,3}([-*_])(?:\s*\1){2,}\s*$/;
const bullet = /^(\s{0,7})([-*+]|\d{1,9}[.)])\s+(.*)$/;

function blockAt(lines: string[], i: number, depth: number, inParagraph: boolean): Taken {
  const line = lines[i]!;
  const open = fence.exec(line);
  if (open) return codeAt(lines, i, open[1]!, open[2]!);
  const title = heading.exec(line);
  if (title) return { block: { kind: "heading", level: title[1]!.length, children: parseInline(title[2]!.replace(/\s#+\s*$/, "")) }, next: i + 1 };
  if (rule.test(line)) return { block: { kind: "rule" }, next: i + 1 };
  if (line.includes("|") && /^[\s|:-]+$/.test(lines[i + 1] ?? "") && (lines[i + 1] ?? "").includes("-")) return tableAt(lines, i);
  if (depth >= deepest) return undefined;
  if (line.startsWith(">")) return quoteAt(lines, i, depth);
  const item = bullet.exec(line);
  // A number that begins a line within a paragraph is a number, unless it is 1.
  return item && !(inParagraph && /^\d/.test(item[2]!) && Number.parseInt(item[2]!, 10) !== 1) ? listAt(lines, i, depth) : undefined;
}

function codeAt(lines: string[], i: number, mark: string, language: string): Taken {
  let end = i + 1;
  while (end < lines.length && !(lines[end]!.trim().startsWith(mark) && lines[end]!.trim().replaceAll(mark[0]!, "") === "")) end++;
  return { block: { kind: "code", language, text: lines.slice(i + 1, end).join("\n") }, next: end + 1 };
}

function tableAt(lines: string[], i: number): Taken {
  const cells = (line: string) => line.trim().replace(/^\|/, "").replace(/\|$/, "").split("|").map((c) => parseInline(c.trim()));
  let end = i + 2;
  while (end < lines.length && lines[end]!.includes("|")) end++;
  return { block: { kind: "table", head: cells(lines[i]!), rows: lines.slice(i + 2, end).map(cells) }, next: end };
}

function quoteAt(lines: string[], i: number, depth: number): Taken {
  let end = i;
  while (end < lines.length && lines[end]!.startsWith(">")) end++;
  const inner = lines.slice(i, end).map((l) => l.replace(/^> ?/, "")).join("\n");
  return { block: { kind: "quote", children: parseMarkdown(inner, depth + 1) }, next: end };
}

function listAt(lines: string[], i: number, depth: number): Taken {
  const first = bullet.exec(lines[i]!)!;
  const ordered = /\d/.test(first[2]!);
  const indent = first[1]!.length;
  const items: string[][] = [];
  let at = i;
  for (; at < lines.length; at++) {
    const line = lines[at]!;
    const item = bullet.exec(line);
    if (item && item[1]!.length <= indent + 1 && !rule.test(line)) {
      if (item[1]!.length < indent || /\d/.test(item[2]!) !== ordered) break;
      items.push([item[3]!]);
      continue;
    }
    const blank = line.trim() === "";
    const deeper = /^\s/.test(line) && line.search(/\S/) > indent;
    if (blank && !belongs(lines[at + 1], indent, ordered)) break;
    if (!blank && !deeper && (lines[at - 1]!.trim() === "" || heading.test(line) || fence.test(line) || line.startsWith(">"))) break;
    items.at(-1)!.push(blank ? "" : line.replace(new RegExp(`^\\s{0,${indent + first[2]!.length + 1}}`), ""));
  }
  const start = ordered ? Number.parseInt(first[2]!, 10) : 1;
  return { block: { kind: "list", ordered, start, items: items.map((lines) => parseMarkdown(lines.join("\n"), depth + 1)) }, next: at };
}

/** Whether what follows a blank line goes on with the list. */
function belongs(line: string | undefined, indent: number, ordered: boolean): boolean {
  if (line === undefined || line.trim() === "") return false;
  const item = bullet.exec(line);
  return line.search(/\S/) > indent || (item !== null && /\d/.test(item[2]!) === ordered);
}

// One token at a time; each alternative is bounded, so that no text is slow.
const token = /\\([\\`*_{}[\]()#+.!~|>-])|(`{1,4})([^`]{1,5000}?)\2(?!`)|!\[([^[\]]{0,500})\]\(([^\s()]{1,100000})(?: "[^"]{0,300}")?\)|\[([^[\]]{1,1000})\]\(([^\s()[\]]{1,4000})(?: "[^"]{0,300}")?\)|<(https?:\/\/[^\s<>]{1,4000})>|(https?:\/\/[^\s<>"'`)\]*]{1,4000})|\*\*([^*]{1,5000}(?:\*[^*]{1,1000}\*[^*]{0,1000})?)\*\*|__([^_]{1,5000})__(?!\w)|~~([^~]{1,2000})~~|\*(?=[^\s*])([^*]{1,3000})\*|\b_(?=[^\s_])([^_]{1,3000})_(?!\w)| {2,}\n|\n/g;

export function parseInline(source: string, depth = 0): Inline[] {
  if (depth > deepest) return [{ kind: "text", text: source }];
  const out: Inline[] = [];
  const plain = (text: string) => {
    const last = out.at(-1);
    if (last?.kind === "text") last.text += text;
    else if (text) out.push({ kind: "text", text });
  };
  let from = 0;
  for (const m of source.matchAll(token)) {
    plain(source.slice(from, m.index));
    from = m.index + m[0].length;
    const [whole, escaped, , code, alt, src, label, href, angled, bare, strong, strong2, del, em, em2] = m;
    const inner = (text: string) => parseInline(text, depth + 1);
    if (escaped) plain(escaped);
    else if (code !== undefined) out.push({ kind: "code", text: code.trim() || code });
    else if (src !== undefined) out.push({ kind: "image", src, alt: alt ?? "" });
    else if (href !== undefined) out.push({ kind: "link", href, children: inner(label!) });
    else if (angled ?? bare) {
      const link = (angled ?? bare!).replace(angled ? "" : /[.,;:!?]+$/, "");
      out.push({ kind: "link", href: link, children: [{ kind: "text", text: link }] });
      if (!angled) plain(bare!.slice(link.length));
    } else if (strong ?? strong2) out.push({ kind: "strong", children: inner((strong ?? strong2)!) });
    else if (del) out.push({ kind: "del", children: inner(del) });
    else if (em ?? em2) out.push({ kind: "em", children: inner((em ?? em2)!) });
    else if (whole.endsWith("\n")) out.push({ kind: "break" });
  }
  plain(source.slice(from));
  return out;
}

/** The address of a link that may be followed, with the host to show; undefined: of another kind, or none. */
export function safeLink(href: string): { href: string; host: string } | undefined {
  try {
    const url = new URL(href);
    if (url.protocol === "mailto:") return { href: url.href, host: url.pathname };
    return url.protocol === "https:" || url.protocol === "http:" ? { href: url.href, host: url.host } : undefined;
  } catch {
    return undefined;
  }
}
