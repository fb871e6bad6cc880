// Markdown of models, as elements. Nothing of it is HTML, and no picture is fetched until somebody asks for it.
import { ExternalLink } from "lucide-react";
import { Fragment, memo, type ReactNode } from "react";
import { parseMarkdown, safeLink, type Block, type Inline } from "@/lib/markdown";
import { CopyButton } from "./Copy";
import { t } from "@/messages";
import { Picture } from "./Picture";

/** Texts above this are shown as they are: nobody reads so much Markdown, and the page stays quick. */
const longest = 200_000;

export const Markdown = memo(function Markdown({ text, mark = "" }: { text: string; mark?: string }) {
  if (text.length > longest) return <pre className="whitespace-pre-wrap break-words">{text}</pre>;
  return <div className="flex min-w-0 flex-col gap-2 text-md break-words">{parseMarkdown(text).map((b, i) => renderBlock(b, i, mark))}</div>;
});

function renderBlock(block: Block, key: number, mark: string): ReactNode {
  switch (block.kind) {
    case "paragraph":
      return <p key={key}>{inlines(block.children, mark)}</p>;
    case "heading":
      // The page has its own headings; those of a text must not mix with them in the outline.
      return (
        <p key={key} className={block.level < 3 ? "text-lg font-semibold" : "font-semibold"}>
          {inlines(block.children, mark)}
        </p>
      );
    case "code":
      return (
        <div key={key} className="relative rounded-md border border-line bg-sunken">
          <pre tabIndex={0} aria-label={block.language || t("talk.code")} className="overflow-x-auto p-3 pe-10">
            {marked(block.text, mark)}
          </pre>
          <div className="absolute end-1 top-1">
            <CopyButton text={block.text} what={block.language || t("talk.code")} />
          </div>
        </div>
      );
    case "list": {
      const items = block.items.map((item, i) => (
        <li key={i}>
          <div className="flex flex-col gap-1">{item.map((b, j) => renderBlock(b, j, mark))}</div>
        </li>
      ));
      return block.ordered ? (
        <ol key={key} start={block.start} className="flex list-decimal flex-col gap-1 ps-6">
          {items}
        </ol>
      ) : (
        <ul key={key} className="flex list-disc flex-col gap-1 ps-6">
          {items}
        </ul>
      );
    }
    case "quote":
      return (
        <blockquote key={key} className="flex flex-col gap-2 border-s-2 border-control ps-3 text-muted">
          {block.children.map((b, i) => renderBlock(b, i, mark))}
        </blockquote>
      );
    case "table":
      return (
        <div key={key} tabIndex={0} role="group" aria-label={t("talk.table")} className="overflow-x-auto">
          <table className="border-collapse">
            <thead>
              <tr>{block.head.map((c, i) => <th key={i} className="border border-line bg-sunken px-2 py-1 text-start font-medium">{inlines(c, mark)}</th>)}</tr>
            </thead>
            <tbody>
              {block.rows.map((row, i) => (
                <tr key={i}>{row.map((c, j) => <td key={j} className="border border-line px-2 py-1">{inlines(c, mark)}</td>)}</tr>
              ))}
            </tbody>
          </table>
        </div>
      );
    case "rule":
      return <hr key={key} className="border-line" />;
  }
}

function inlines(all: Inline[], mark: string): ReactNode {
  return all.map((one, i) => <Fragment key={i}>{renderInline(one, mark)}</Fragment>);
}

function renderInline(one: Inline, mark: string): ReactNode {
  switch (one.kind) {
    case "text":
      return marked(one.text, mark);
    case "code":
      return <code className="rounded-sm bg-sunken px-1 py-px">{marked(one.text, mark)}</code>;
    case "strong":
      return <strong className="font-semibold">{inlines(one.children, mark)}</strong>;
    case "em":
      return <em>{inlines(one.children, mark)}</em>;
    case "del":
      return <del>{inlines(one.children, mark)}</del>;
    case "break":
      return <br />;
    case "image":
      return <Picture url={one.src} name={one.alt} />;
    case "link":
      return <OutLink href={one.href}>{inlines(one.children, mark)}</OutLink>;
  }
}

/** A link out of somebody's text: it says where it leads, and the place learns nothing of this page. */
export function OutLink({ href, children }: { href: string; children?: ReactNode }) {
  const safe = safeLink(href);
  if (!safe) return <span title={href}>{children ?? href}</span>;
  return (
    <>
      <a href={safe.href} target="_blank" rel="noopener noreferrer nofollow" className="underline">
        {children ?? href}
      </a>
      <span className="ms-1 inline-flex items-center gap-0.5 text-2xs text-faint">
        <ExternalLink size={10} aria-hidden />
        {safe.host}
      </span>
    </>
  );
}

/** A text with what was looked for marked in it. */
export function marked(text: string, mark: string): ReactNode {
  if (!mark) return text;
  const found: ReactNode[] = [];
  const low = text.toLowerCase();
  const wanted = mark.toLowerCase();
  let from = 0;
  for (let at = low.indexOf(wanted); at >= 0 && found.length < 2_000; at = low.indexOf(wanted, from)) {
    found.push(text.slice(from, at), <mark key={at} className="rounded-sm bg-warn-soft text-warn">{text.slice(at, at + wanted.length)}</mark>);
    from = at + wanted.length;
  }
  return found.length ? <>{found}{text.slice(from)}</> : text;
}
