// The columns of the list, which of them are shown, and what of a cell can be filtered by.
import { CornerDownRight, Filter, Gauge, MessageSquareText, RefreshCw, ThumbsDown, ThumbsUp } from "lucide-react";
import type { ReactNode } from "react";
import type { Entry } from "@/api/types.gen";
import type { Column } from "@/components/DataGrid";
import { StatusChip, statusOf, statusWord } from "@/components/Status";
import { literal, printTerm } from "@/lib/filter";
import { count, dateTime, duration, money, timeOfDay } from "@/lib/format";
import { t, type Key } from "@/messages";
import { classes } from "@/ui/classes";

interface Definition {
  id: string;
  header: Key;
  width: number;
  grow?: boolean;
  end?: boolean;
  /** order_by of the API. */
  sort?: "cost" | "tokens_in" | "tokens_out" | "duration";
  /** Fields of an entry that an export needs for it. */
  fields: string[];
  cell: (e: Entry, zone: string) => ReactNode;
  /** What is copied. */
  text: (e: Entry, zone: string) => string;
  /** The condition that picks rows like this one. */
  condition?: (e: Entry) => string | undefined;
}

const is = (field: string, value: string | null | undefined) => (value ? printTerm({ field, op: "eq", values: [literal(value)] }) : undefined);

function plain(text: string | null | undefined, className?: string): ReactNode {
  return text ? (
    <span className={classes("truncate", className)} title={text}>
      {text}
    </span>
  ) : (
    <span className="text-faint">{t("shell.unknown")}</span>
  );
}

function figure(text: string): ReactNode {
  return <span className={classes("num truncate", text === t("shell.unknown") && "text-faint")}>{text}</span>;
}

const running = (e: Entry) => e.ending === "in_flight";

const definitions: Definition[] = [
  {
    id: "time",
    header: "logs.time",
    width: 76,
    fields: ["created_at"],
    cell: (e, zone) => (
      <time className="num truncate text-muted" dateTime={e.created_at} title={dateTime(e.created_at, zone)}>
        {timeOfDay(e.created_at!, zone)}
      </time>
    ),
    text: (e) => e.created_at!,
  },
  {
    id: "status",
    header: "logs.status",
    width: 158,
    fields: ["status_code", "success", "ending", "error_kind"],
    cell: (e) => (
      <>
        <StatusChip entry={e} />
        <Flags entry={e} />
      </>
    ),
    text: (e) => statusWord(statusOf(e)),
    condition: (e) => printTerm({ field: "status", op: "eq", values: [statusOf(e)] }),
  },
  {
    id: "model",
    header: "logs.model",
    width: 140,
    grow: true,
    fields: ["model", "served_model"],
    cell: (e) => (
      <span className="num min-w-0 truncate" title={served(e) ? `${e.model} → ${e.served_model}` : e.model}>
        {e.model || <span className="text-faint">{t("shell.unknown")}</span>}
        {served(e) && <span className="text-muted"> → {e.served_model}</span>}
      </span>
    ),
    text: (e) => e.model ?? "",
    condition: (e) => is("model", e.model),
  },
  { id: "provider", header: "logs.provider", width: 92, fields: ["provider"], cell: (e) => plain(e.provider), text: (e) => e.provider ?? "", condition: (e) => is("provider", e.provider) },
  {
    id: "message",
    header: "logs.message",
    width: 120,
    grow: true,
    fields: ["preview"],
    cell: (e) => plain(e.preview, "text-muted"),
    text: (e) => e.preview ?? "",
  },
  {
    id: "tokens",
    header: "logs.tokens",
    width: 112,
    end: true,
    fields: ["tokens_in", "tokens_out", "usage_basis"],
    cell: (e) => (
      <span className="num truncate" title={e.usage_basis === "estimated" || e.usage_basis === "partial" ? t(`logs.${e.usage_basis}`) : undefined}>
        {(e.usage_basis === "estimated" || e.usage_basis === "partial") && "≈ "}
        {count(e.tokens_in)} / {running(e) && e.tokens_out === null ? "…" : count(e.tokens_out)}
      </span>
    ),
    text: (e) => `${e.tokens_in ?? ""} / ${e.tokens_out ?? ""}`,
    condition: (e) => (e.tokens_in === null || e.tokens_in === undefined ? undefined : `tokens:>=${(e.tokens_in ?? 0) + (e.tokens_out ?? 0)}`),
  },
  {
    id: "cost",
    header: "logs.cost",
    width: 88,
    end: true,
    sort: "cost",
    fields: ["cost", "custom_cost"],
    cell: (e) => figure(running(e) ? t("shell.unknown") : money(e.cost)),
    text: (e) => (e.cost === null || e.cost === undefined ? "" : String(e.cost)),
    condition: (e) => (e.cost === null || e.cost === undefined ? "cost:none" : `cost:>=${e.cost}`),
  },
  { id: "ttft", header: "logs.ttft", width: 70, end: true, fields: ["ttft"], cell: (e) => figure(duration(e.ttft)), text: (e) => String(e.ttft ?? ""), condition: (e) => (e.ttft ? `ttft:>=${e.ttft}` : undefined) },
  {
    id: "duration",
    header: "logs.duration",
    width: 74,
    end: true,
    sort: "duration",
    fields: ["duration"],
    cell: (e) => figure(running(e) ? "…" : duration(e.duration)),
    text: (e) => String(e.duration ?? ""),
    condition: (e) => (running(e) ? undefined : `duration:>=${e.duration}`),
  },
  { id: "key", header: "logs.key", width: 110, fields: ["key"], cell: (e) => plain(e.key), text: (e) => e.key ?? "", condition: (e) => is("key", e.key) },
  { id: "tokens_in", header: "logs.tokensIn", width: 92, end: true, sort: "tokens_in", fields: ["tokens_in"], cell: (e) => figure(count(e.tokens_in)), text: (e) => String(e.tokens_in ?? "") },
  { id: "tokens_out", header: "logs.tokensOut", width: 92, end: true, sort: "tokens_out", fields: ["tokens_out"], cell: (e) => figure(count(e.tokens_out)), text: (e) => String(e.tokens_out ?? "") },
  { id: "endpoint", header: "logs.endpoint", width: 150, fields: ["endpoint"], cell: (e) => plain(e.endpoint), text: (e) => e.endpoint ?? "", condition: (e) => is("endpoint", e.endpoint) },
  { id: "path", header: "logs.path", width: 180, fields: ["path"], cell: (e) => plain(e.path, "num"), text: (e) => e.path ?? "", condition: (e) => is("path", e.path) },
  { id: "error", header: "logs.error", width: 220, fields: ["error_kind", "error_text"], cell: (e) => plain(e.error_text ?? e.error_kind), text: (e) => e.error_text ?? e.error_kind ?? "", condition: (e) => is("error_type", e.error_kind) },
  { id: "ending", header: "logs.ending", width: 110, fields: ["ending"], cell: (e) => plain(e.ending), text: (e) => e.ending ?? "", condition: (e) => is("ending", e.ending) },
  {
    id: "metadata",
    header: "logs.metadata",
    width: 200,
    fields: ["metadata"],
    cell: (e) => plain(Object.entries(e.metadata ?? {}).map(([k, v]) => `${k}=${v}`).join(" "), "num"),
    text: (e) => JSON.stringify(e.metadata ?? {}),
    condition: (e) => {
      const first = Object.entries(e.metadata ?? {})[0];
      return first && printTerm({ field: "meta", key: first[0], op: "eq", values: [literal(String(first[1]))] });
    },
  },
  { id: "date", header: "logs.date", width: 190, fields: ["created_at"], cell: (e, zone) => <span className="num truncate">{dateTime(e.created_at, zone)}</span>, text: (e) => e.created_at! },
  { id: "id", header: "logs.id", width: 290, fields: ["id"], cell: (e) => plain(e.id, "num"), text: (e) => e.id, condition: (e) => `id:${e.id}` },
];

const byId = new Map(definitions.map((d) => [d.id, d]));

export const allColumns = definitions.map((d) => ({ id: d.id, header: d.header }));
export const byDefault = "time,status,model,provider,message,tokens,cost,ttft,duration";

const served = (e: Entry) => Boolean(e.model && e.served_model && e.served_model !== e.model);

/** What else is to be known of a request, in icons with words for who cannot see them. */
function Flags({ entry: e }: { entry: Entry }) {
  const flags: [boolean | undefined, Key, typeof Filter][] = [
    [(e.attempt_count ?? 0) > 1, "logs.retried", RefreshCw],
    [(e.step ?? 0) > 0, "logs.fellBack", CornerDownRight],
    [e.streamed, "logs.streamed", MessageSquareText],
    [e.custom_cost, "logs.customCost", Gauge],
    [e.feedback === 1, "logs.good", ThumbsUp],
    [e.feedback === -1, "logs.bad", ThumbsDown],
  ];
  return (
    <span className="ms-1.5 flex shrink-0 gap-1 text-muted">
      {flags.map(([on, label, Icon]) =>
        on ? (
          <span key={label} title={t(label, { n: e.attempt_count ?? 0 })}>
            <Icon size={12} aria-hidden />
            <span className="sr-only">{t(label, { n: e.attempt_count ?? 0 })}</span>
          </span>
        ) : null,
      )}
    </span>
  );
}

export interface Chosen {
  id: string;
  width?: number;
}

/** Reads the param cols: names with commas between, each with its width behind a colon where it was changed. */
export function parseColumns(text: string): Chosen[] {
  const chosen: Chosen[] = [];
  for (const part of text.split(",")) {
    const [id, width] = part.split(":");
    if (id && byId.has(id) && !chosen.some((c) => c.id === id)) chosen.push({ id, width: Number(width) >= 48 ? Math.min(Number(width), 1000) : undefined });
  }
  return chosen.length ? chosen : parseColumns(byDefault);
}

export function printColumns(chosen: Chosen[]): string {
  return chosen.map((c) => (c.width ? `${c.id}:${c.width}` : c.id)).join(",");
}

/** The columns as the grid takes them. */
export function columnsOf(chosen: Chosen[], zone: string): Column<Entry>[] {
  return chosen.map(({ id, width }) => {
    const d = byId.get(id)!;
    return { id, header: t(d.header), width: width ?? d.width, grow: d.grow && !width, end: d.end, sorts: d.sort !== undefined, cell: (e: Entry) => d.cell(e, zone) };
  });
}

/** order_by of a column; undefined: the list cannot be ordered by it. */
export function sortOf(column: string): Definition["sort"] {
  return byId.get(column)?.sort;
}

export function headerOf(column: string): string {
  const d = byId.get(column);
  return d ? t(d.header) : column;
}

/** The fields that an export of these columns holds. */
export function fieldsOf(chosen: Chosen[]): string[] {
  return [...new Set(["id", ...chosen.flatMap((c) => byId.get(c.id)!.fields)])];
}

export function textOf(column: string, e: Entry, zone: string): string {
  return byId.get(column)?.text(e, zone) ?? "";
}

export function conditionOf(column: string, e: Entry): string | undefined {
  return byId.get(column)?.condition?.(e);
}

/** A row where there is no room for columns: two lines. */
export function cardOf(e: Entry, zone: string): ReactNode {
  return (
    <div className="flex min-w-0 flex-col gap-0.5">
      <div className="flex min-w-0 items-center gap-2">
        <StatusChip entry={e} />
        <Flags entry={e} />
        <time className="num ms-auto text-muted" dateTime={e.created_at}>
          {timeOfDay(e.created_at!, zone)}
        </time>
      </div>
      <div className="flex min-w-0 items-center gap-2 text-muted">
        <span className="num min-w-0 flex-1 truncate">{e.model || e.path}</span>
        <span className="num shrink-0">{running(e) ? "…" : duration(e.duration)}</span>
        <span className="num shrink-0">{running(e) ? t("shell.unknown") : money(e.cost)}</span>
      </div>
    </div>
  );
}
