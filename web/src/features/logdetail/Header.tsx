import { useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ChevronDown, Play, ThumbsDown, ThumbsUp, Trash2 } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { call } from "@/api/client";
import { keyOf } from "@/api/query";
import type { Entry, EnvelopeRow } from "@/api/types.gen";
import { CopyButton, copyText } from "@/components/Copy";
import { dateTime, relative } from "@/lib/format";
import { at } from "@/lib/place";
import { origin } from "@/lib/base";
import { snippetOf, snippetNames, type SnippetName } from "@/lib/snippets";
import { toast } from "@/lib/toast";
import { useZone } from "@/lib/zone";
import { t } from "@/messages";
import { Button, buttonClass, IconButton } from "@/ui/Button";
import { classes } from "@/ui/classes";
import { Menu } from "@/ui/Overlay";
import { bodyAddress, stored, type Spot } from "./body";
import { outcomeOf, type Tone } from "./sentence";

const marks: Record<Tone, string> = { ok: "bg-ok", warn: "bg-warn", bad: "bg-bad", cache: "bg-cache", block: "bg-block", plain: "bg-control" };

const logCall = "/client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/logs/{id}";

export function Header({ spot, entry, onGone }: { spot: Spot; entry: Entry; onGone?: () => void }) {
  const [zone] = useZone();
  const outcome = outcomeOf(entry);
  const when = dateTime(entry.created_at, zone);
  const ago = relative(entry.created_at, zone);
  return (
    <header className="flex min-w-0 flex-col gap-2">
      <div className="flex items-start gap-2">
        <span aria-hidden className={classes("mt-2 size-2 shrink-0 rounded-full", marks[outcome.tone], entry.ending === "in_flight" && "animate-pulse")} />
        <p className="min-w-0 text-lg font-semibold break-words">{outcome.sentence}</p>
      </div>
      {entry.error_text && !entry.success && <p className="rounded-md bg-bad-soft px-3 py-2 break-words text-bad">{entry.error_text}</p>}
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1 text-xs text-muted">
        <span title={entry.created_at}>
          {when} ({zone}){ago === when ? "" : `, ${ago}`}
        </span>
        <span className="flex min-w-0 items-center gap-1">
          <code className="truncate">{entry.id}</code>
          <CopyButton text={entry.id} what={t("detail.id")} />
        </span>
      </div>
      <Actions spot={spot} entry={entry} onGone={onGone} />
    </header>
  );
}

function Actions({ spot, entry, onGone }: { spot: Spot; entry: Entry; onGone?: () => void }) {
  const copyCode = async (name: SnippetName) => {
    let body = "";
    if (stored(entry, "request")) body = await (await fetch(bodyAddress(spot, "request"), { credentials: "same-origin" })).text();
    const url = `${origin}/v1/${spot.account}/${spot.gateway}/${entry.provider ?? ""}/${entry.path ?? ""}`;
    await copyText(snippetOf(name, { url, provider: entry.provider ?? "", method: entry.method ?? "POST", type: entry.request_content_type ?? "application/json", body }), t("detail.copiedCode", { name }));
  };
  const replayable = stored(entry, "request") && !entry.request?.truncated && entry.method === "POST" && /^\s*[[{]/.test(entry.request_head ?? "");
  return (
    <div className="flex flex-wrap items-center gap-2">
      {replayable && (
        <Link to={at(spot, "playground")} search={{ replay: spot.id } as never} className={buttonClass()}>
          <Play size={14} aria-hidden />
          {t("detail.replay")}
        </Link>
      )}
      <Menu
        align="start"
        items={[
          ...snippetNames.map((name) => ({ label: name, onSelect: () => void copyCode(name) })),
          null,
          { label: t("detail.copyLink"), onSelect: () => void copyText(new URL(`${origin}/ui${at(spot, `logs/${spot.id}`)}`).href, t("detail.link")) },
        ]}
        trigger={
          <button type="button" className={buttonClass()}>
            {t("shell.copy")}
            <ChevronDown size={14} aria-hidden />
          </button>
        }
      />
      <Feedback spot={spot} entry={entry} />
      <Delete spot={spot} onGone={onGone} />
    </div>
  );
}

/** A thumb shows at once, and goes back where the server would not have it. */
function Feedback({ spot, entry }: { spot: Spot; entry: Entry }) {
  const client = useQueryClient();
  const key = keyOf(`GET ${logCall}`, { ...spot }, { basis: "requests" });
  const show = (feedback: number | null) => client.setQueryData<EnvelopeRow>(key, (old) => old && { ...old, result: { ...old.result, feedback } });
  const set = async (wanted: 1 | -1 | null, offerUndo = true) => {
    const old = (entry.feedback ?? null) as 1 | -1 | null;
    show(wanted);
    try {
      await call(`PATCH ${logCall}`, { ...spot }, { body: { feedback: wanted } });
      toast(wanted === null ? t("detail.feedbackGone") : t("detail.feedbackKept"), offerUndo ? { action: { label: t("detail.undo"), run: () => void set(old, false) } } : {});
    } catch (error) {
      show(old);
      toast(t("detail.feedbackFailed", { reason: error instanceof Error ? error.message : String(error) }), { tone: "bad" });
    }
  };
  const thumb = (value: 1 | -1, label: string, icon: React.ReactNode) => {
    const on = entry.feedback === value;
    return (
      <IconButton label={label} aria-pressed={on} onClick={() => void set(on ? null : value)} className={on ? (value === 1 ? "bg-ok-soft text-ok" : "bg-bad-soft text-bad") : ""}>
        {icon}
      </IconButton>
    );
  };
  return (
    <div role="group" aria-label={t("detail.feedback")} className="flex">
      {thumb(1, t("detail.good"), <ThumbsUp size={15} aria-hidden />)}
      {thumb(-1, t("detail.bad"), <ThumbsDown size={15} aria-hidden />)}
    </div>
  );
}

/** Deletion begins after ten seconds, unless it is undone: there is no undeleting in the log. */
const grace = 10_000;

function Delete({ spot, onGone }: { spot: Spot; onGone?: () => void }) {
  const client = useQueryClient();
  const [going, setGoing] = useState(false);
  const stop = useRef<() => void>(undefined);
  useEffect(() => () => stop.current?.(), []);
  const run = async () => {
    try {
      await call(`DELETE ${logCall}`, { ...spot });
      await client.invalidateQueries({ queryKey: ["GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/logs"] });
      onGone?.();
    } catch (error) {
      toast(t("detail.deleteFailed", { reason: error instanceof Error ? error.message : String(error) }), { tone: "bad" });
    }
    setGoing(false);
  };
  const start = () => {
    setGoing(true);
    const timer = setTimeout(() => {
      stop.current = undefined;
      void run();
    }, grace);
    stop.current = () => {
      clearTimeout(timer);
      stop.current = undefined;
      setGoing(false);
    };
  };
  if (going) {
    return (
      <span role="status" className="flex items-center gap-2 text-bad">
        {t("detail.deleting")}
        <Button size="sm" onClick={() => stop.current?.()}>
          {t("detail.undo")}
        </Button>
      </span>
    );
  }
  return (
    <Button look="quiet" onClick={start}>
      <Trash2 size={14} aria-hidden />
      {t("shell.delete")}
    </Button>
  );
}
