// Where a request is written, sent through the gateway to up to four models at once, and compared.
import { Play, Plus, Square } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { Page } from "@/components/Page";
import { CopyAs } from "@/components/CopyAs";
import { CopyButton, copyText } from "@/components/Copy";
import { origin } from "@/lib/base";
import { usePlace } from "@/lib/place";
import { useParam } from "@/lib/search";
import { snippetNames, snippetOf } from "@/lib/snippets";
import { t } from "@/messages";
import { Button, buttonClass } from "@/ui/Button";
import { Menu } from "@/ui/Overlay";
import { Badge, ErrorPanel, Skeleton } from "@/ui/State";
import { Column, OriginalColumn, type View } from "./Column";
import { bodyOf, emptyDraft, faultsOf, headersOf, loadDraft, mostTargets, saveDraft, type Draft } from "./draft";
import { Editor } from "./Editor";
import { asDraft, asSent, useLogged, type Logged } from "./replay";
import { run, type Request, type Result } from "./run";

export default function PlaygroundPage() {
  const place = usePlace();
  const [replay, setReplay] = useParam("replay");
  const logged = useLogged(place, replay);
  return (
    <Page title={t("play.title")} actions={<CopyAs />}>
      {replay && logged.isPending ? (
        <Skeleton lines={8} />
      ) : replay && logged.error ? (
        <ErrorPanel title={t("play.replayFailed")} error={logged.error} onRetry={() => void logged.refetch()} />
      ) : (
        <Playground key={`${place.account}/${place.gateway}/${replay}`} logged={replay ? logged.data : undefined} onLeave={() => setReplay(undefined)} />
      )}
    </Page>
  );
}

/** What a column sends: a draft for a target, or a request as it was. */
type Mode = "sent" | "edit";

function Playground({ logged, onLeave }: { logged?: Logged; onLeave: () => void }) {
  const place = usePlace();
  const converted = logged && asDraft(logged);
  const [mode, setMode] = useState<Mode>(logged ? "sent" : "edit");
  const [draft, setDraft] = useState<Draft>(() => converted ?? (logged ? emptyDraft : loadDraft(place.account, place.gateway)));
  const [raw, setRaw] = useState(logged?.body ?? "");
  const { results, start, stop } = useRuns();
  const [view, setView] = useState<View>("rendered");
  const faults = faultsOf(draft);
  const running = results.some((r) => r?.state === "running");
  const blocked = mode === "edit" && Object.keys(faults).length > 0;
  const targets = mode === "sent" ? [`${logged!.entry.provider}/${logged!.entry.model}`] : draft.targets;
  const change = (next: Draft) => {
    setDraft(next);
    if (!logged) saveDraft(place.account, place.gateway, next);
  };
  const requests = (): Request[] =>
    mode === "sent"
      ? [{ ...asSent(logged!), body: raw }]
      : draft.targets.map((target) => ({ path: "compat/chat/completions", body: JSON.stringify(bodyOf(draft, target)), headers: headersOf(draft) }));
  const go = () => {
    if (!blocked && !running) start(requests());
  };
  useRunKey(go);
  const code = (name: (typeof snippetNames)[number]) => {
    const first = requests()[0]!;
    const provider = targets[0]!.split("/")[0]!;
    void copyText(snippetOf(name, { url: `${origin}/v1/${place.account}/${place.gateway}/${first.path}`, provider, method: "POST", type: "application/json", body: first.body, headers: first.headers }), t("play.code", { name }));
  };
  return (
    <div className="grid min-w-0 items-start gap-4 lg:grid-cols-[minmax(18rem,26rem)_1fr]">
      <div className="flex min-w-0 flex-col gap-3">
        {logged && <ReplayBar logged={logged} mode={mode} convertible={converted !== undefined} onMode={setMode} onLeave={onLeave} />}
        <div className="flex flex-wrap items-center gap-2">
          {running ? (
            <Button look="danger" onClick={() => stop()}>
              <Square size={13} aria-hidden />
              {t("play.stop")}
            </Button>
          ) : (
            <Button look="primary" onClick={go} aria-disabled={blocked || undefined} title={t("play.runKey")}>
              <Play size={13} aria-hidden />
              {t("play.run")}
            </Button>
          )}
          <Menu align="start" items={snippetNames.map((name) => ({ label: name, onSelect: () => code(name) }))} trigger={<button type="button" className={buttonClass()}>{t("play.copyCode")}</button>} />
          <Badge title={t("play.sourceWhy")}>{t("play.source")}</Badge>
        </div>
        {mode === "sent" ? <RawEditor request={requests()[0]!} onChange={setRaw} /> : <Editor draft={draft} faults={faults} onChange={change} />}
      </div>
      <div className="flex min-w-0 flex-col gap-2">
        <div className="flex flex-wrap items-center gap-2">
          <div role="group" aria-label={t("play.view")} className="flex gap-1">
            {(["rendered", "raw", "diff"] as const).map((one) => (
              <Button key={one} size="sm" look={view === one ? "plain" : "quiet"} aria-pressed={view === one} onClick={() => setView(one)}>
                {t(`play.view_${one}`)}
              </Button>
            ))}
          </div>
          {mode === "edit" && draft.targets.length < mostTargets && (
            <Button size="sm" className="ms-auto" onClick={() => change({ ...draft, targets: [...draft.targets, draft.targets.at(-1)!] })}>
              <Plus size={13} aria-hidden />
              {t("play.addColumn")}
            </Button>
          )}
        </div>
        <div className="grid min-w-0 gap-3 md:auto-cols-fr md:grid-flow-col">
          {logged && <OriginalColumn logged={logged} view={view} />}
          {targets.map((target, i) => (
            <Column
              key={i}
              target={target}
              result={results[i]}
              view={view}
              against={logged ? logged.talk?.answered : i > 0 ? results[0]?.answered : undefined}
              onTarget={mode === "edit" ? (next) => change({ ...draft, targets: draft.targets.map((old, j) => (j === i ? next : old)) }) : undefined}
              onRemove={mode === "edit" && draft.targets.length > 1 ? () => change({ ...draft, targets: draft.targets.filter((_, j) => j !== i) }) : undefined}
              onStop={() => stop(i)}
            />
          ))}
        </div>
      </div>
    </div>
  );
}

/** The calls under way and what has come of them, by column. */
function useRuns() {
  const place = usePlace();
  const [results, setResults] = useState<(Result | undefined)[]>([]);
  const stops = useRef<AbortController[]>([]);
  useEffect(() => () => stops.current.forEach((s) => s.abort()), []);
  const start = (requests: Request[]) => {
    stops.current.forEach((s) => s.abort());
    stops.current = requests.map(() => new AbortController());
    setResults(requests.map(() => ({ state: "running", answered: [], raw: "" })));
    for (const [i, request] of requests.entries()) {
      const stop = stops.current[i]!;
      void run(place, request, stop.signal, (result) => stops.current[i] === stop && setResults((all) => all.map((old, j) => (j === i ? result : old))));
    }
  };
  const stop = (i?: number) => stops.current.forEach((s, j) => (i === undefined || i === j) && s.abort());
  return { results, start, stop };
}

/** Ctrl or ⌘ with Enter runs, wherever the focus is. */
function useRunKey(go: () => void) {
  const latest = useRef(go);
  useEffect(() => {
    latest.current = go;
  });
  useEffect(() => {
    const press = (e: KeyboardEvent) => {
      if (e.key !== "Enter" || !(e.metaKey || e.ctrlKey)) return;
      e.preventDefault();
      latest.current();
    };
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  }, []);
}

function ReplayBar({ logged, mode, convertible, onMode, onLeave }: { logged: Logged; mode: Mode; convertible: boolean; onMode: (mode: Mode) => void; onLeave: () => void }) {
  return (
    <section aria-label={t("play.replay")} className="flex flex-col gap-2 rounded-lg border border-accent bg-surface p-3">
      <div className="flex flex-wrap items-center gap-2">
        <span className="font-medium">{t("play.replay")}</span>
        <code className="min-w-0 truncate text-muted">{logged.entry.id}</code>
        <CopyButton text={logged.entry.id} what={t("play.logId")} />
        <Button size="sm" look="quiet" className="ms-auto" onClick={onLeave}>
          {t("play.leave")}
        </Button>
      </div>
      <div role="group" aria-label={t("play.how")} className="flex flex-wrap gap-1">
        <Button size="sm" look={mode === "sent" ? "primary" : "plain"} aria-pressed={mode === "sent"} onClick={() => onMode("sent")}>
          {t("play.asSent")}
        </Button>
        {convertible && (
          <Button size="sm" look={mode === "edit" ? "primary" : "plain"} aria-pressed={mode === "edit"} onClick={() => onMode("edit")}>
            {t("play.editFirst")}
          </Button>
        )}
      </div>
      <p className="text-xs text-muted">{mode === "sent" ? t("play.asSentWhy") : t("play.editWhy")}</p>
      {logged.entry.request?.truncated && <p className="text-xs text-warn">{t("play.truncated")}</p>}
    </section>
  );
}

function RawEditor({ request, onChange }: { request: Request; onChange: (body: string) => void }) {
  return (
    <div className="flex min-w-0 flex-col gap-2">
      <p className="num break-all">POST /{request.path}</p>
      <textarea
        aria-label={t("play.body")}
        value={request.body}
        spellCheck={false}
        onChange={(e) => onChange(e.target.value)}
        rows={18}
        className="num w-full rounded-md border border-control bg-surface p-2.5 text-text"
      />
    </div>
  );
}
