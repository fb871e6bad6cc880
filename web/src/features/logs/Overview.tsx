// What stands above the list: requests over time, and their sums.
import type { UseQueryResult } from "@tanstack/react-query";
import { ChevronDown, ChevronRight } from "lucide-react";
import { useState, type ReactNode } from "react";
import type { ApiError } from "@/api/client";
import { useCall } from "@/api/query";
import type { EnvelopeHistogram } from "@/api/types.gen";
import { count, dateTime, money, percent, timeOfDay } from "@/lib/format";
import type { Place } from "@/lib/place";
import { t } from "@/messages";
import { Histogram } from "./Histogram";
import type { Choice } from "./useRows";

const stored = "sluice.logs.histogram";

interface Props {
  place: Place;
  choice: Choice;
  histogram: UseQueryResult<EnvelopeHistogram, ApiError>;
  zone: string;
  onJump: (to: number) => void;
  onZoom: (from: number, to: number) => void;
  onBack: () => void;
  /** What can be done with the list. */
  children: ReactNode;
}

export function Overview({ place, choice, histogram, zone, onJump, onZoom, onBack, children }: Props) {
  const [shown, setShown] = useState(() => localStorage.getItem(stored) !== "hidden");
  const sums = useCall(
    "GET /client/v4/accounts/{account}/ai-gateway/analytics",
    { account: place.account },
    { gateway: place.gateway, metric: "requests,error_rate,cost", range: choice.range, q: choice.q, interval: "none" },
    { every: 15_000 },
  );
  const total = (metric: string) => sums.data?.result.series?.find((s) => s.metric === metric)?.total;
  const data = histogram.data?.result;
  const toggle = () => {
    localStorage.setItem(stored, shown ? "hidden" : "shown");
    setShown(!shown);
  };
  const Icon = shown ? ChevronDown : ChevronRight;
  const until = data?.complete_until;
  return (
    <section aria-label={t("logs.histogram")} className="flex flex-col gap-1">
      {shown && (data ? <Histogram data={data} zone={zone} at={choice.at ? Date.parse(choice.at) : undefined} onJump={onJump} onZoom={onZoom} onBack={onBack} /> : <div className="h-14 rounded-sm bg-sunken" />)}
      <div className="flex min-h-6 flex-wrap items-center gap-x-2 text-xs text-muted">
        <button type="button" aria-expanded={shown} aria-label={t("logs.histogram")} title={t("logs.histogram")} onClick={toggle} className="grid size-6 place-items-center rounded-md hover:bg-hover">
          <Icon size={14} aria-hidden />
        </button>
        <span className="num text-text">{t(data?.source === "rows" ? "logs.approx" : "logs.requests", { n: count(data?.total) })}</span>
        <Dot />
        <span className="num">{t("logs.errorRate", { n: percent(total("error_rate")) })}</span>
        <Dot />
        <span className="num">{money(total("cost"))}</span>
        {until && (
          <>
            <Dot />
            <span title={dateTime(until, zone)}>{t("logs.completeUntil", { time: timeOfDay(until, zone) })}</span>
          </>
        )}
        {data?.partial && (
          <>
            <Dot />
            <span className="text-warn">{t("logs.partialCount", { time: dateTime(data.since, zone) })}</span>
          </>
        )}
        <span className="ms-auto flex flex-wrap items-center gap-1 text-sm">{children}</span>
      </div>
    </section>
  );
}

function Dot() {
  return <span aria-hidden>{t("logs.dot")}</span>;
}
