// What happened in a request, and when: a bar for each part. Enter on one opens what is known of it.
import { useState } from "react";
import { useCall } from "@/api/query";
import type { Entry, Moment } from "@/api/types.gen";
import { duration, money, percent } from "@/lib/format";
import { t, type Key } from "@/messages";
import { classes } from "@/ui/classes";
import { ErrorPanel, Skeleton } from "@/ui/State";
import type { Spot } from "./body";

const call = "GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/logs/{id}/timeline";

/** Colours of the parts; an attempt has that of its outcome. */
const colours: Record<string, string> = {
  receive: "var(--series-6)",
  cache: "var(--series-3)",
  connect: "var(--series-5)",
  wait: "var(--series-2)",
  stream: "var(--series-1)",
  backoff: "var(--series-other)",
  deliver: "var(--series-4)",
};

const parts = ["connect", "wait", "stream"];

/** Which parts of attempts are worth a row of their own: those that took a visible share of the whole. */
function rowsOf(steps: Moment[]): Moment[] {
  return steps.filter((s) => !(parts.includes(s.name) && s.length_ms === 0));
}

function failed(step: Moment): boolean {
  return step.note !== undefined || (step.status ?? 0) >= 400;
}

function nameOf(step: Moment): string {
  const key = `detail.step_${step.name}` as Key;
  return step.name === "attempt" ? t("detail.step_attempt", { n: step.attempt ?? 1 }) : t(key);
}

export function Timeline({ spot, entry }: { spot: Spot; entry: Entry }) {
  const query = useCall(call, { ...spot }, { basis: "requests" }, { every: entry.ending === "in_flight" ? 2_000 : false });
  const [open, setOpen] = useState<number>();
  const line = query.data?.result;
  if (query.error) return <ErrorPanel title={t("detail.timeline")} error={query.error} onRetry={() => void query.refetch()} />;
  if (!line || line.id !== spot.id) return <Skeleton lines={4} />;
  const steps = rowsOf(line.steps ?? []);
  const whole = Math.max(line.duration_ms ?? 0, ...steps.map((s) => s.start_ms + s.length_ms), 0.001);
  const firstToken = entry.timeline?.first_token_ms;
  return (
    <section aria-label={t("detail.timeline")} className="rounded-lg border border-line bg-surface p-3">
      <div className="mb-2 flex flex-wrap items-baseline gap-x-4 gap-y-1">
        <h2 className="font-medium">{t("detail.timeline")}</h2>
        <span className="num text-muted">{duration(line.duration_ms)}</span>
        <span className="ms-auto text-xs text-muted">
          {t("detail.overhead")} <span className="num ms-1 text-text">{duration(line.overhead_ms)}</span>
        </span>
      </div>
      <ol className="flex flex-col">
        {steps.map((step, i) => (
          <li key={i}>
            <button
              type="button"
              aria-expanded={open === i}
              onClick={() => setOpen(open === i ? undefined : i)}
              className="grid w-full grid-cols-[6.5rem_1fr_4rem] items-center gap-2 rounded-sm py-0.5 text-start hover:bg-hover"
            >
              <span className={classes("truncate text-xs", parts.includes(step.name) ? "ps-3 text-muted" : "text-text")}>{nameOf(step)}</span>
              <Bar step={step} whole={whole} firstToken={step.name === "stream" ? firstToken : undefined} />
              <span className="num text-end text-muted">{duration(step.length_ms)}</span>
            </button>
            {(open === i || (step.name === "attempt" && step.note)) && <Note step={step} whole={whole} open={open === i} />}
          </li>
        ))}
      </ol>
    </section>
  );
}

function Bar({ step, whole, firstToken }: { step: Moment; whole: number; firstToken?: number | null }) {
  const at = (ms: number) => `${(ms / whole) * 100}%`;
  return (
    <span aria-hidden className="relative h-3 overflow-hidden rounded-sm bg-sunken">
      <span
        className="absolute inset-y-0 min-w-0.5 rounded-sm"
        style={{ background: step.name === "attempt" ? (failed(step) ? "var(--bad)" : "var(--ok)") : (colours[step.name] ?? "var(--control)"), insetInlineStart: `min(${at(step.start_ms)}, calc(100% - 2px))`, width: at(step.length_ms) }}
      />
      {firstToken != null && <span className="absolute inset-y-0 w-0.5 bg-text" style={{ insetInlineStart: at(firstToken) }} />}
    </span>
  );
}

function Note({ step, whole, open }: { step: Moment; whole: number; open: boolean }) {
  const facts: string[] = [];
  if (step.target) facts.push(step.target);
  if (step.status !== undefined) facts.push(String(step.status));
  if (step.note) facts.push(step.note);
  if (step.cost !== undefined) facts.push(money(step.cost));
  if (open) facts.push(t("detail.startsAt", { at: duration(step.start_ms) }), t("detail.lasts", { for: duration(step.length_ms), share: percent(step.length_ms / whole) }));
  return <p className="ps-3 pb-1 text-xs break-words text-muted">{facts.join(" · ")}</p>;
}
