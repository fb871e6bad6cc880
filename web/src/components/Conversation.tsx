// What was said, in one form for all providers: turns of system, user, model and tools.
import { Bot, ChevronDown, ChevronUp, CircleAlert, Quote, Search, Settings2, ShieldX, User, Wrench } from "lucide-react";
import { Fragment, useId, useMemo, useRef, useState, type ReactNode } from "react";
import { parse } from "@/lib/conversation/json";
import type { Conversation as Talk, Message, Part, Role, Tool } from "@/lib/conversation/model";
import { count } from "@/lib/format";
import { t } from "@/messages";
import { IconButton } from "@/ui/Button";
import { classes } from "@/ui/classes";
import { Input } from "@/ui/Field";
import { Badge } from "@/ui/State";
import { CopyButton } from "./Copy";
import { Markdown, marked, OutLink } from "./Markdown";
import { MediaView } from "./Picture";

const looks: Record<Role, { icon: typeof Bot; className: string }> = {
  system: { icon: Settings2, className: "bg-sunken" },
  user: { icon: User, className: "bg-surface" },
  assistant: { icon: Bot, className: "bg-surface" },
  tool: { icon: Wrench, className: "bg-sunken" },
};

const roles: Role[] = ["system", "user", "assistant", "tool"];

type View = "rendered" | "plain";

/** The whole exchange, with a filter of roles and a search. */
export function Conversation({ talk }: { talk: Talk }) {
  const [hidden, setHidden] = useState<Role[]>([]);
  const [find, setFind] = useState("");
  const [view, setView] = useState<View>("rendered");
  const list = useRef<HTMLDivElement>(null);
  const messages = useMemo(() => [...talk.asked, ...talk.answered.map((m) => ({ ...m, answer: true }))], [talk]);
  const present = roles.filter((r) => messages.some((m) => m.role === r));
  return (
    <div className="flex min-w-0 flex-col gap-2">
      <div className="flex flex-wrap items-center gap-2">
        <div role="group" aria-label={t("talk.roles")} className="flex flex-wrap gap-1">
          {present.map((role) => (
            <Toggle key={role} on={!hidden.includes(role)} onClick={() => setHidden(hidden.includes(role) ? hidden.filter((r) => r !== role) : [...hidden, role])}>
              {t(`talk.${role}`)} <span className="num text-faint">{messages.filter((m) => m.role === role).length}</span>
            </Toggle>
          ))}
        </div>
        <Toggle on={view === "rendered"} onClick={() => setView(view === "rendered" ? "plain" : "rendered")}>
          {t("talk.markdown")}
        </Toggle>
        <Finder list={list} value={find} onChange={setFind} />
      </div>
      {talk.tools.length > 0 && <Tools tools={talk.tools} />}
      <div ref={list} className="flex min-w-0 flex-col gap-2">
        <Messages messages={messages.filter((m) => !hidden.includes(m.role))} mark={find.length > 1 ? find : ""} view={view} />
      </div>
      {talk.finish && (
        <p className="text-xs text-muted">
          {t("talk.finish")} <code>{talk.finish}</code>
        </p>
      )}
    </div>
  );
}

function Toggle({ on, onClick, children }: { on: boolean; onClick: () => void; children: ReactNode }) {
  return (
    <button
      type="button"
      aria-pressed={on}
      onClick={onClick}
      className={classes("inline-flex h-6 items-center gap-1 rounded-full border px-2 text-xs pointer-coarse:min-h-11", on ? "border-control bg-surface text-text" : "border-line bg-sunken text-faint line-through")}
    >
      {children}
    </button>
  );
}

/** Looks for a text in what is shown, and goes from one place to the next. */
function Finder({ list, value, onChange }: { list: React.RefObject<HTMLDivElement | null>; value: string; onChange: (value: string) => void }) {
  const at = useRef(-1);
  const [place, setPlace] = useState("");
  const go = (step: number) => {
    const marks = [...(list.current?.querySelectorAll("mark") ?? [])];
    if (!marks.length) return setPlace(value.length > 1 ? t("talk.none") : "");
    at.current = (at.current + step + marks.length) % marks.length;
    for (const folded of list.current!.querySelectorAll("details")) if (folded.contains(marks[at.current]!)) folded.open = true;
    marks[at.current]!.scrollIntoView({ block: "center" });
    setPlace(`${at.current + 1} / ${marks.length}`);
  };
  return (
    <div className="ms-auto flex items-center gap-1">
      <span role="status" className="num text-faint">
        {place}
      </span>
      <div className="relative">
        <Search size={12} aria-hidden className="pointer-events-none absolute start-2 top-1.5 text-faint pointer-coarse:top-4" />
        <Input
          type="search"
          aria-label={t("talk.find")}
          placeholder={t("talk.find")}
          value={value}
          onChange={(e) => {
            at.current = -1;
            setPlace("");
            onChange(e.target.value);
          }}
          onKeyDown={(e) => {
            if (e.key !== "Enter") return;
            e.preventDefault();
            go(e.shiftKey ? -1 : 1);
          }}
          className="h-6 w-36 ps-6 text-xs"
        />
      </div>
      <IconButton size="sm" label={t("talk.before")} onClick={() => go(-1)}>
        <ChevronUp size={14} aria-hidden />
      </IconButton>
      <IconButton size="sm" label={t("talk.next")} onClick={() => go(1)}>
        <ChevronDown size={14} aria-hidden />
      </IconButton>
    </div>
  );
}

function Tools({ tools }: { tools: Tool[] }) {
  return (
    <details className="rounded-md border border-line bg-sunken px-3 py-1.5 text-xs">
      <summary className="text-muted">{t("talk.tools", { n: tools.length })}: {tools.map((tool) => tool.name).join(", ")}</summary>
      <dl className="mt-2 flex flex-col gap-2">
        {tools.map((tool, i) => (
          <div key={i}>
            <dt className="num font-medium">{tool.name}</dt>
            <dd className="text-muted">
              {tool.description}
              {tool.schema !== undefined && <JsonBlock value={tool.schema} label={tool.name} />}
            </dd>
          </div>
        ))}
      </dl>
    </details>
  );
}

/** Messages one below the other; results of tools name the call that they answer. */
export function Messages({ messages, mark = "", view = "rendered" }: { messages: (Message & { answer?: boolean })[]; mark?: string; view?: View }) {
  const names = useMemo(() => new Map(messages.flatMap((m) => m.parts).flatMap((p) => (p.kind === "call" && p.id ? [[p.id, p.name] as const] : []))), [messages]);
  return messages.map((message, i) => <Turn key={i} message={message} names={names} mark={mark} view={view} />);
}

interface TurnProps {
  message: Message & { answer?: boolean };
  names: Map<string, string>;
  mark: string;
  view: View;
}

function Turn({ message, names, mark, view }: TurnProps) {
  const look = looks[message.role];
  const Icon = look.icon;
  const words = message.parts.flatMap((p) => (p.kind === "text" ? [p.text] : [])).join("\n\n");
  return (
    <article aria-label={t(`talk.${message.role}`)} className={classes("min-w-0 rounded-lg border px-3 py-2", look.className, message.answer ? "border-accent" : "border-line")}>
      <header className="mb-1 flex items-center gap-1.5 text-xs text-muted">
        <Icon size={14} aria-hidden />
        <span className="font-medium">{t(`talk.${message.role}`)}</span>
        {message.name && <span className="num">{message.name}</span>}
        {message.answer && <Badge>{t("talk.answer")}</Badge>}
        {words && (
          <span className="ms-auto">
            <CopyButton text={words} what={t(`talk.${message.role}`)} />
          </span>
        )}
      </header>
      <div className="flex min-w-0 flex-col gap-2">
        {message.parts.map((part, i) => (
          <Fragment key={i}>
            <PartView part={part} names={names} mark={mark} view={view} />
          </Fragment>
        ))}
      </div>
    </article>
  );
}

interface PartProps {
  part: Part;
  names: Map<string, string>;
  mark: string;
  view: View;
}

function PartView({ part, names, mark, view }: PartProps) {
  switch (part.kind) {
    case "text":
      return view === "plain" ? <pre className="whitespace-pre-wrap break-words">{marked(part.text, mark)}</pre> : <Markdown text={part.text} mark={mark} />;
    case "reasoning":
      return part.hidden && !part.text ? (
        <p className="text-xs text-muted italic">{t("talk.hiddenReasoning")}</p>
      ) : (
        <details className="rounded-md border border-line bg-sunken px-3 py-1.5">
          <summary className="text-xs text-muted">{t("talk.reasoning")}</summary>
          <div className="mt-2 text-muted">
            <Markdown text={part.text} mark={mark} />
          </div>
        </details>
      );
    case "call":
      return (
        <Boxed icon={<Wrench size={13} aria-hidden />} title={<span className="num font-medium">{marked(part.name, mark)}</span>} id={part.id}>
          {part.args && <JsonBlock value={parse(part.args) ?? part.args} label={part.name} mark={mark} />}
        </Boxed>
      );
    case "result":
      return (
        <Boxed
          icon={part.failed ? <CircleAlert size={13} aria-hidden className="text-bad" /> : <Wrench size={13} aria-hidden />}
          title={
            <>
              {t("talk.resultOf")} <span className="num font-medium">{names.get(part.id) ?? part.name ?? ""}</span>
              {part.failed && <Badge tone="bad">{t("talk.failed")}</Badge>}
            </>
          }
          id={part.id}
        >
          {part.parts.map((p, i) => (p.kind === "text" && parse(p.text) instanceof Object ? <JsonBlock key={i} value={parse(p.text)} label={t("talk.resultOf")} mark={mark} /> : <PartView key={i} part={p} names={names} mark={mark} view="plain" />))}
        </Boxed>
      );
    case "media":
      return <MediaView part={part} />;
    case "citation":
      return (
        <div className="flex min-w-0 items-baseline gap-1.5 text-xs text-muted">
          <Quote size={12} aria-hidden className="shrink-0" />
          <span className="min-w-0 break-words">
            {part.url ? <OutLink href={part.url}>{part.title ?? part.url}</OutLink> : part.title} {part.text && <q>{marked(part.text, mark)}</q>}
          </span>
        </div>
      );
    case "refusal":
      return (
        <Boxed icon={<ShieldX size={13} aria-hidden />} title={t("talk.refusal")} tone="block">
          {part.text && <p>{marked(part.text, mark)}</p>}
        </Boxed>
      );
    case "error":
      return (
        <Boxed icon={<CircleAlert size={13} aria-hidden />} title={<>{t("talk.error")} {part.code && <code>{part.code}</code>}</>} tone="bad">
          <p className="break-words whitespace-pre-wrap">{marked(part.text, mark)}</p>
        </Boxed>
      );
    case "vectors":
      return <p className="text-muted">{part.dimensions ? t("talk.vectors", { n: part.count, dimensions: count(part.dimensions) }) : t("talk.vectorsOnly", { n: part.count })}</p>;
    case "ranking":
      return (
        <ol className="flex flex-col gap-0.5">
          {part.rows.map((row) => (
            <li key={row.index} className="flex gap-3">
              <span className="num w-12 text-end">{row.score.toFixed(3)}</span>
              <span className="num text-muted">#{row.index}</span>
              <span className="min-w-0 truncate">{row.text}</span>
            </li>
          ))}
        </ol>
      );
    case "json":
      return <JsonBlock value={part.value} label={t("talk.data")} mark={mark} />;
  }
}

const tones = { plain: "border-line bg-sunken", bad: "border-bad bg-bad-soft", block: "border-block bg-block-soft" };

function Boxed({ icon, title, id, tone = "plain", children }: { icon: ReactNode; title: ReactNode; id?: string; tone?: keyof typeof tones; children: ReactNode }) {
  const label = useId();
  return (
    <div role="group" aria-labelledby={label} className={classes("min-w-0 rounded-md border px-3 py-1.5", tones[tone])}>
      <div className="flex flex-wrap items-center gap-1.5 text-xs">
        {icon}
        <span id={label}>{title}</span>
        {id && <code className="ms-auto max-w-40 truncate text-faint" title={id}>{id}</code>}
      </div>
      <div className="mt-1 min-w-0">{children}</div>
    </div>
  );
}

/** JSON of a few lines, as it is; the tabs of the raw bodies have the tree for more. */
function JsonBlock({ value, label, mark = "" }: { value: unknown; label: string; mark?: string }) {
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
  return (
    <pre tabIndex={0} aria-label={label} className="max-h-80 overflow-auto break-words whitespace-pre-wrap">
      {marked(text, mark)}
    </pre>
  );
}
