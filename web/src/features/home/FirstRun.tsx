// The first request of a gateway: whose key, the call, and the moment it lands. What went wrong lands here, too.
import { Link } from "@tanstack/react-router";
import { Circle, CircleCheck, CircleX } from "lucide-react";
import { useState, type ReactNode } from "react";
import { useCall } from "@/api/query";
import type { Entry, MissView } from "@/api/types.gen";
import { CopyField, Snippet } from "@/components/Copy";
import { StatusChip } from "@/components/Status";
import { count, duration, money } from "@/lib/format";
import { ofGateway, useLive } from "@/lib/live";
import { at, usePlace } from "@/lib/place";
import { t, type Key } from "@/messages";
import { Button, buttonClass } from "@/ui/Button";
import { Field, Input } from "@/ui/Field";
import { gatewayURL, SnippetTabs } from "./Connect";
import { causeKey, missesOf, movedURL, oldExample, runHere } from "./first";
import { ProviderKey } from "./ProviderKey";
import type { Target } from "./snippets";

export function FirstRun({ onDone }: { onDone: () => void }) {
  const place = usePlace();
  const gateway = useCall("GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}", place).data?.result;
  const hello = useCall("GET /client/v4/accounts/{account}/ai-gateway/hello", { account: place.account });
  const [target, setTarget] = useState<Target>();
  const [log, setLog] = useState<Entry>();
  const [news, setNews] = useState<MissView[]>([]);
  const [busy, setBusy] = useState(false);
  const state = useLive({ account: place.account, kinds: ["logs", "hello"], q: ofGateway(place.gateway) }, (events) => {
    for (const event of events) {
      if (event.type === "hello") setNews((before) => [event.miss, ...before]);
      if (event.type === "resync") void hello.refetch();
      // A success stays: what fails later does not take it back.
      if (event.type === "open" || event.type === "update" || event.type === "close") setLog((before) => (before?.success && before.id !== event.log.id ? before : event.log));
    }
  });
  const ok = log?.success === true && log.ending !== "in_flight";
  const misses = ok ? [] : missesOf([...news, ...(hello.data?.result.misses ?? [])], place.gateway);
  const shown: Target = { ...(target ?? { provider: "echo" }), gateway: gatewayURL(place), guarded: gateway?.authentication === true };
  const run = async () => {
    setBusy(true);
    await runHere(place, shown);
    setBusy(false);
  };
  const canRun = shown.provider === "echo" ? !shown.guarded || shown.token !== undefined : shown.token !== undefined;
  return (
    <ol className="flex max-w-4xl flex-col gap-4">
      <Step n={1} title={t("home.step1")} state={target ? "done" : "waiting"} text={target ? t("home.keyChosen", { provider: shown.provider }) : t("home.keyWaiting")}>
        <ProviderKey guarded={gateway?.authentication === true} onChoose={(chosen) => setTarget({ ...chosen, gateway: shown.gateway })} />
      </Step>
      <Step n={2} title={t("home.step2")} state={log || misses.length > 0 ? "done" : "waiting"} text={log || misses.length > 0 ? t("home.called") : t("home.callWaiting")}>
        <SnippetTabs target={shown} />
        {canRun && (
          <div className="mt-3">
            <Button busy={busy} onClick={() => void run()}>
              {t("home.runHere")}
            </Button>
          </div>
        )}
      </Step>
      <Step
        n={3}
        title={t("home.step3")}
        state={ok ? "done" : misses.length > 0 || (log && log.ending !== "in_flight") ? "failed" : "waiting"}
        text={ok ? t("home.landed") : log?.ending === "in_flight" ? t("home.landing") : misses.length > 0 || log ? t("home.failed") : t(state === "live" ? "home.listening" : "home.connecting")}
      >
        {log && <Landed log={log} />}
        {misses.map((miss) => (
          <Miss key={`${miss.id} ${miss.count}`} miss={miss} />
        ))}
        {ok && (
          <div className="mt-3 flex flex-wrap gap-2">
            <Link to={at(place, "logs")} search={{ log: log.id }} className={buttonClass("primary")}>
              {t("home.openLog")}
            </Link>
            <Button onClick={onDone}>{t("home.goOn")}</Button>
          </div>
        )}
        {!ok && <Moving />}
      </Step>
    </ol>
  );
}

/** For who comes from elsewhere: the old address gives the new one. */
function Moving() {
  const place = usePlace();
  const [old, setOld] = useState("");
  const moved = movedURL(old, gatewayURL(place));
  return (
    <details className="mt-3">
      <summary className="text-muted">{t("home.moving")}</summary>
      <div className="mt-2 flex flex-col gap-2">
        <Field label={t("home.oldURL")} error={old && !moved ? t("home.oldWrong") : undefined}>
          {(control) => <Input {...control} value={old} onChange={(e) => setOld(e.target.value)} placeholder={oldExample} autoComplete="off" spellCheck={false} />}
        </Field>
        {moved && <CopyField text={moved} what={t("home.newURL")} />}
        <p className="text-xs text-muted">{t("home.movingText")}</p>
        <CopyField text="sluice import cloudflare --from-account ACCOUNT --dry-run" what={t("copy.cli")} />
      </div>
    </details>
  );
}

interface StepProps {
  n: number;
  title: string;
  state: "waiting" | "done" | "failed";
  text: string;
  children: ReactNode;
}

function Step({ n, title, state, text, children }: StepProps) {
  const Icon = { waiting: Circle, done: CircleCheck, failed: CircleX }[state];
  const tone = { waiting: "text-faint", done: "text-ok", failed: "text-bad" }[state];
  return (
    <li data-step={n} data-state={state} className={`rounded-lg border bg-surface ${state === "done" ? "border-ok" : state === "failed" ? "border-bad" : "border-line"}`}>
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1 border-b border-line px-4 py-2">
        <Icon size={18} aria-hidden className={tone} />
        <h2 className="text-md font-semibold">
          {n} {title}
        </h2>
        <span role="status" className={`ms-auto ${tone === "text-faint" ? "text-muted" : tone}`}>
          {text}
        </span>
      </div>
      <div className="p-4">{children}</div>
    </li>
  );
}

function Landed({ log }: { log: Entry }) {
  const facts: [Key, string][] = [
    ["home.time", log.ending === "in_flight" ? t("home.running") : duration(log.duration)],
    ["home.tokens", `${count(log.tokens_in)} → ${count(log.tokens_out)}`],
    ["home.cost", money(log.cost)],
  ];
  return (
    <div className="flex flex-wrap items-center gap-x-5 gap-y-1 rounded-md bg-sunken px-3 py-2">
      <StatusChip entry={log} />
      <span className="font-medium">
        {log.provider}
        {"/"}
        {log.served_model ?? log.model}
      </span>
      {facts.map(([label, value]) => (
        <span key={label}>
          <span className="text-muted">{t(label)}</span> <span className="num">{value}</span>
        </span>
      ))}
      {log.error_text && <p className="w-full break-words text-bad">{log.error_text}</p>}
    </div>
  );
}

/** A call that came to nothing: why, and how it would have been right. */
function Miss({ miss }: { miss: MissView }) {
  const place = usePlace();
  return (
    <div className="mt-3 rounded-md border border-line p-3">
      <p className="font-medium text-bad">
        {t(causeKey(miss))} {miss.count > 1 && <span className="text-muted">{t("home.times", { n: miss.count })}</span>}
      </p>
      <p className="break-words">
        <code>
          {miss.method} {miss.path}
        </code>{" "}
        <span className="num text-muted">{miss.status_code}</span>
      </p>
      {miss.message && <p className="break-words text-muted">{miss.message}</p>}
      {miss.hint && <p className="mt-1 break-words">{miss.hint}</p>}
      {miss.snippet && (
        <div className="mt-2">
          <Snippet code={miss.snippet} what={t("home.right")} />
        </div>
      )}
      {miss.log_id && (
        <Link to={at(place, "logs")} search={{ log: miss.log_id }} className="mt-2 inline-block">
          {t("home.openLog")}
        </Link>
      )}
    </div>
  );
}
