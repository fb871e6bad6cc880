// One answer: what came, how fast, what it cost, and how it differs from the first.
import { Link } from "@tanstack/react-router";
import { Square, X } from "lucide-react";
import { useId, useMemo, type ReactNode } from "react";
import { useCall } from "@/api/query";
import { Messages } from "@/components/Conversation";
import type { Message } from "@/lib/conversation/model";
import { diffTexts } from "@/lib/diff";
import { count, duration, money } from "@/lib/format";
import { at, usePlace } from "@/lib/place";
import { t } from "@/messages";
import { IconButton } from "@/ui/Button";
import { Input } from "@/ui/Field";
import { Badge } from "@/ui/State";
import type { Logged } from "./replay";
import type { Result } from "./run";

export type View = "rendered" | "raw" | "diff";

/** What an answer says, as one text: to be compared with another. */
function textOf(messages: Message[]): string {
  return messages.flatMap((m) => m.parts.map((p) => (p.kind === "text" || p.kind === "refusal" || p.kind === "error" ? p.text : p.kind === "call" ? `${p.name}(${p.args})` : ""))).filter(Boolean).join("\n\n");
}

interface Props {
  target: string;
  result?: Result;
  view: View;
  /** What it is compared with; undefined: it is what others are compared with. */
  against?: Message[];
  onTarget?: (target: string) => void;
  onRemove?: () => void;
  onStop: () => void;
}

export function Column({ target, result, view, against, onTarget, onRemove, onStop }: Props) {
  return (
    <section aria-label={target} className="flex min-w-0 flex-col gap-2 rounded-lg border border-line bg-surface p-3">
      <div className="flex items-center gap-1">
        {onTarget ? <TargetInput value={target} onChange={onTarget} /> : <span className="num min-w-0 flex-1 truncate font-medium">{target}</span>}
        {result?.state === "running" && (
          <IconButton size="sm" label={t("play.stopOne", { target })} onClick={onStop}>
            <Square size={12} aria-hidden />
          </IconButton>
        )}
        {onRemove && (
          <IconButton size="sm" label={t("play.removeColumn", { target })} onClick={onRemove}>
            <X size={14} aria-hidden />
          </IconButton>
        )}
      </div>
      {result ? (
        <>
          <Figures result={result} />
          {result.error && <p className="rounded-md bg-bad-soft px-3 py-2 break-words text-bad">{result.error}</p>}
          <Answer messages={result.answered} raw={result.raw} view={view} against={against} />
        </>
      ) : (
        <p className="py-6 text-center text-muted">{t("play.nothingYet")}</p>
      )}
    </section>
  );
}

function Answer({ messages, raw, view, against }: { messages: Message[]; raw: string; view: View; against?: Message[] }) {
  if (view === "raw") return <pre tabIndex={0} aria-label={t("play.view_raw")} className="max-h-[36rem] overflow-auto rounded-md bg-sunken p-2 break-words whitespace-pre-wrap">{raw}</pre>;
  if (view === "diff" && against) return <Diff before={textOf(against)} after={textOf(messages)} />;
  return <Messages messages={messages} />;
}

function Diff({ before, after }: { before: string; after: string }) {
  const pieces = useMemo(() => diffTexts(before, after), [before, after]);
  return (
    <div className="text-md break-words whitespace-pre-wrap">
      {pieces.map((p, i) => (p.kind === "same" ? <span key={i}>{p.text}</span> : p.kind === "added" ? <ins key={i} className="bg-ok-soft text-ok no-underline">{p.text}</ins> : <del key={i} className="bg-bad-soft text-bad">{p.text}</del>))}
    </div>
  );
}

const tones = { running: "plain", done: "ok", cancelled: "warn", failed: "bad" } as const;

function Figures({ result: r }: { result: Result }) {
  const place = usePlace();
  const out = r.entry?.tokens_out;
  const seconds = r.duration !== undefined && r.firstToken !== undefined ? (r.duration - r.firstToken) / 1000 : 0;
  return (
    <Row
      facts={[
        [t("play.ttft"), duration(r.firstToken)],
        [t("play.duration"), duration(r.duration)],
        [t("play.speed"), out && seconds > 0.02 ? count(Math.round(out / seconds)) : t("shell.unknown")],
        [t("play.tokens"), r.entry ? `${count(r.entry.tokens_in)} / ${count(out)}` : t("shell.unknown")],
        [t("play.cost"), money(r.entry?.cost)],
      ]}
    >
      <Badge tone={tones[r.state]}>{r.status ? `${r.status} ` : ""}{t(`play.state_${r.state}`)}</Badge>
      {r.cache && <Badge tone="cache">{t("play.cache", { status: r.cache })}</Badge>}
      {r.finish && <code className="text-muted">{r.finish}</code>}
      {r.logId && (
        <Link to={at(place, `logs/${r.logId}`)} className="text-xs">
          {t("play.openLog")}
        </Link>
      )}
    </Row>
  );
}

function Row({ facts, children }: { facts: [string, string][]; children: ReactNode }) {
  return (
    <div className="flex flex-col gap-1 border-b border-line pb-2">
      <div className="flex flex-wrap items-center gap-2">{children}</div>
      <dl className="flex flex-wrap gap-x-4 gap-y-1">
        {facts.map(([name, value]) => (
          <div key={name} className="flex items-baseline gap-1">
            <dt className="text-2xs text-muted">{name}</dt>
            <dd className="num">{value}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

/** What was answered when the request was made for the first time. */
export function OriginalColumn({ logged, view }: { logged: Logged; view: View }) {
  const e = logged.entry;
  const messages = logged.talk?.answered ?? [];
  const name = [e.provider, e.model].filter(Boolean).join("/");
  return (
    <section aria-label={t("play.original")} className="flex min-w-0 flex-col gap-2 rounded-lg border border-line bg-sunken p-3">
      <div className="flex items-center gap-2">
        <Badge>{t("play.original")}</Badge>
        <span className="num min-w-0 flex-1 truncate font-medium">{name}</span>
      </div>
      <Row facts={[[t("play.ttft"), duration(e.ttft)], [t("play.duration"), duration(e.timeline?.end_ms ?? e.duration)], [t("play.tokens"), `${count(e.tokens_in)} / ${count(e.tokens_out)}`], [t("play.cost"), money(e.cost)]]}>
        <Badge tone={e.success ? "ok" : "bad"}>{e.status_code ?? t("shell.unknown")}</Badge>
        {e.cached && <Badge tone="cache">{t("play.cache", { status: "HIT" })}</Badge>}
      </Row>
      <Answer messages={messages} raw={e.response_head ?? ""} view={view === "diff" ? "rendered" : view} />
    </section>
  );
}

/** provider/model, with what was used lately and what the price list knows as suggestions. */
function TargetInput({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const id = useId();
  const place = usePlace();
  const [provider = "", model = ""] = [value.split("/")[0], value.split("/").slice(1).join("/")];
  const lately = useCall("GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/logs", { ...place }, { basis: "requests", per_page: 50 } as never, { staleTime: 60_000 });
  const priced = useCall("GET /client/v4/accounts/{account}/ai-gateway/prices/models", { account: place.account }, { provider: provider || undefined, search: model.slice(0, 40) || undefined, per_page: 30 }, { staleTime: 300_000 });
  const rows = (lately.data?.result ?? []) as { provider?: string; model?: string }[];
  const names = new Set(["echo/echo", "echo/echo-slow", ...rows.flatMap((r) => (r.provider && r.model ? [`${r.provider}/${r.model}`] : [])), ...(priced.data?.result ?? []).map((p) => `${p.provider}/${p.model}`)]);
  return (
    <>
      <Input aria-label={t("play.target")} list={id} value={value} placeholder={t("play.targetExample")} spellCheck={false} onChange={(e) => onChange(e.target.value)} className="num" />
      <datalist id={id}>
        {[...names].slice(0, 80).map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </datalist>
    </>
  );
}
