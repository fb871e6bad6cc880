import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { Entry } from "@/api/types.gen";
import { bytes, count, duration, money } from "@/lib/format";
import { at, type Place } from "@/lib/place";
import { t } from "@/messages";
import { Badge } from "@/ui/State";

/** Tokens a second, from the first token to the end; unknown without both. */
function speed(e: Entry): number | undefined {
  const out = e.usage?.output;
  const first = e.ttft;
  const whole = e.duration;
  return e.streamed && !e.cached && out && first != null && whole != null && whole > first ? out / ((whole - first) / 1000) : undefined;
}

/** Classes of tokens beside the two sums, where the provider told them. */
function classesOf(e: Entry): string[] {
  const u = e.usage;
  if (!u) return [];
  const told: [string, number | undefined][] = [
    [t("detail.cacheRead"), u.cache_read],
    [t("detail.cacheWrite"), u.cache_write_5m === undefined && u.cache_write_1h === undefined ? undefined : (u.cache_write_5m ?? 0) + (u.cache_write_1h ?? 0)],
    [t("detail.reasoningTokens"), u.reasoning],
    [t("detail.audioIn"), u.audio_input],
    [t("detail.audioOut"), u.audio_output],
    [t("detail.images"), u.images],
    [t("detail.searches"), u.web_searches],
  ];
  return told.flatMap(([name, n]) => (n ? [`${name} ${count(n)}`] : []));
}

export function Facts({ entry: e }: { entry: Entry }) {
  const perSecond = speed(e);
  const basis = e.usage_basis && e.usage_basis !== "provider" && e.usage_basis !== "none" ? t(`detail.basis_${e.usage_basis}`) : undefined;
  const rows: [string, ReactNode][] = [
    [t("detail.duration"), duration(e.timeline?.end_ms ?? e.duration)],
    [t("detail.ttft"), duration(e.ttft)],
    [t("detail.speed"), perSecond === undefined ? t("shell.unknown") : t("detail.perSecond", { n: count(Math.round(perSecond)) })],
    [t("detail.tokensIn"), count(e.tokens_in)],
    [t("detail.tokensOut"), count(e.tokens_out)],
    [t("detail.cost"), money(e.cost)],
    [t("detail.model"), e.served_model && e.served_model !== e.model ? `${e.model} → ${e.served_model}` : e.model || t("shell.unknown")],
    [t("detail.provider"), e.provider || t("shell.unknown")],
    [t("detail.endpoint"), e.endpoint ?? e.path ?? t("shell.unknown")],
    [t("detail.key"), e.key ?? t("shell.unknown")],
    [t("detail.sizes"), `${bytes(e.request_size)} / ${bytes(e.response_size)}`],
    [t("detail.client"), e.user_agent ?? t("shell.unknown")],
  ];
  const more = classesOf(e);
  return (
    <div className="flex flex-col gap-2">
      <dl className="grid grid-cols-2 gap-x-4 gap-y-2 rounded-lg border border-line bg-surface p-3 min-[30rem]:grid-cols-3 xl:grid-cols-6">
        {rows.map(([name, value]) => (
          <div key={name} className="min-w-0">
            <dt className="text-2xs text-muted">{name}</dt>
            <dd className="num truncate" title={typeof value === "string" ? value : undefined}>
              {value}
            </dd>
          </div>
        ))}
      </dl>
      {(more.length > 0 || basis || (e.notes?.length ?? 0) > 0) && (
        <div className="flex flex-wrap gap-1.5">
          {basis && <Badge tone="warn">{basis}</Badge>}
          {more.map((one) => (
            <Badge key={one}>{one}</Badge>
          ))}
          {e.notes?.map((note) => (
            <Badge key={note} tone="warn">
              {note}
            </Badge>
          ))}
        </div>
      )}
    </div>
  );
}

/** Metadata as chips that open what else has the same value. */
export function Metadata({ entry, place }: { entry: Entry; place: Place }) {
  const all = Object.entries(entry.metadata ?? {});
  if (!all.length) return null;
  return (
    <div className="flex flex-wrap items-center gap-1.5">
      <span className="text-2xs text-muted">{t("detail.metadata")}</span>
      {all.map(([name, value]) => (
        <Link key={name} to={at(place, "logs")} search={{ q: `meta.${name}:${JSON.stringify(String(value))}` } as never} className="inline-flex max-w-full rounded-full border border-line bg-sunken px-2 text-xs text-text no-underline hover:bg-hover">
          <span className="truncate">
            <span className="text-muted">{name}</span> {String(value)}
          </span>
        </Link>
      ))}
    </div>
  );
}
