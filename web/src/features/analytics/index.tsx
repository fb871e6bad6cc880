// Analytics: the sums of a gateway over a range of time, drawn and told; each opens the requests behind it.
import { useNavigate } from "@tanstack/react-router";
import { useMemo } from "react";
import { address } from "@/api/client";
import { useCall } from "@/api/query";
import type { Analytics, Calls } from "@/api/types.gen";
import { CopyAs } from "@/components/CopyAs";
import { FilterBar } from "@/components/FilterBar";
import { Page } from "@/components/Page";
import { RangePicker } from "@/components/RangePicker";
import { statusWord, type Status } from "@/components/Status";
import { count, dateTime, duration, money, percent } from "@/lib/format";
import { at, usePlace } from "@/lib/place";
import { rangeOf, useRange } from "@/lib/range";
import { useParam, useSetParams } from "@/lib/search";
import { useZone } from "@/lib/zone";
import { locale, t } from "@/messages";
import { Check, Input, Select } from "@/ui/Field";
import { Banner, EmptyState, ErrorPanel } from "@/ui/State";
import { Breakdown } from "./Breakdown";
import { Chart, ChartSkeleton } from "./Chart";
import { colours, intervalRange, linesOf, type Line } from "./data";
import { Tiles } from "./Tiles";

const read = "GET /client/v4/accounts/{account}/ai-gateway/analytics";
type Query = Calls[typeof read]["query"];

const groups = ["provider", "model", "key", "status", "outcome", "cache", "error_type"] as const;
const tones: Record<string, string> = { ok: "ok", cached: "cache", rate_limited: "warn", blocked: "block", provider_error: "bad", error: "bad", client_error: "series-2", cancelled: "series-other" };

export default function AnalyticsPage() {
  const place = usePlace();
  const navigate = useNavigate();
  const [range] = useRange();
  const [zone] = useZone();
  const [q, setQ] = useParam("q");
  const [group, setGroup] = useParam("group", "model");
  const [compare, setCompare] = useParam("cmp");
  const [basis, setBasis] = useParam("basis", "requests");
  const setParams = useSetParams();
  const account = { account: place.account };
  const query: Query = { gateway: place.gateway, range: range.text, tz: zone, q: q || undefined, basis: basis as "requests", cmp: compare === "1" || undefined };
  const every = { every: range.relative ? 15_000 : (false as const) };
  const ask = (more: Query) => ({ ...query, ...more });
  const tileQuery = ask({ metric: "requests,tokens,cost,cache_rate,saved_cost,error_rate,duration_p95,ttft_p95", cmp: true });
  const tiles = useCall(read, account, tileQuery, every);
  const outcomes = useCall(read, account, ask({ metric: "requests", group: "outcome", cmp: undefined }), every);
  const tokens = useCall(read, account, ask({ metric: "tokens_in,tokens_out,tokens_cache_read,tokens_cache_write_5m,tokens_cache_write_1h,tokens_reasoning", cmp: undefined }), every);
  const costs = useCall(read, account, ask({ metric: "cost", group, limit: 30, cmp: undefined }), every);
  const single = useCall(read, account, ask({ metric: "cost_per_1k,cache_rate,saved_cost,duration_p50,duration_p90,duration_p99,ttft_p50,ttft_p90,ttft_p99,tokens_per_second,overhead_p99" }), every);
  const errors = useCall(read, account, ask({ metric: "errors", group: "error_type", limit: 30, cmp: undefined }), every);
  const colourOf = useMemo(() => colours(), []);

  const facts = tiles.data?.result;
  const total = facts?.series?.find((s) => s.metric === "requests")?.total;
  const filterWith = (condition?: string) => [q, condition].filter(Boolean).join(" ") || undefined;
  const openLogs = (a: Analytics, interval: number, condition?: string) => {
    void navigate({ to: at(place, "logs"), search: { range: intervalRange(a.t!, a.to, interval), q: filterWith(condition), tz: zone } as never });
  };
  const zoom = (from: number, to: number) => setParams({ range: rangeOf(new Date(Math.floor(from / 60_000) * 60_000), new Date(Math.ceil(to / 60_000) * 60_000)) });
  const time = (moment: string) => dateTime(moment, zone);
  const groupWord = group.startsWith("meta.") ? group.slice(5) : t(`analytics.${group as (typeof groups)[number]}`);
  const naming = (key: string) => key || t("analytics.noValue");
  const outcomeName = (key: string) => (key === "error" ? t("analytics.errors") : statusWord(key as Status));

  const chart = (answer: typeof tiles, title: string, unit: string, format: (n: number | null | undefined) => string, make: (a: Analytics) => Line[], options: { stack?: boolean; condition?: (line?: Line) => string | undefined } = {}) => {
    const a = answer.data?.result;
    if (answer.isError && !a) return <ErrorPanel key={title} title={title} error={answer.error} onRetry={() => void answer.refetch()} />;
    if (!a) return <ChartSkeleton key={title} title={title} />;
    return (
      <Chart
        key={title}
        title={title}
        unit={unit}
        t={a.t ?? []}
        lines={make(a)}
        stack={options.stack}
        format={format}
        time={time}
        zone={zone}
        open={range.relative}
        stale={answer.isPlaceholderData}
        onZoom={zoom}
        onOpen={(interval) => openLogs(a, interval, options.condition?.())}
      />
    );
  };
  const one = (metric: string, label: string, colour: string) => (a: Analytics) => linesOf(a, metric, () => label, "", () => colour);
  const several = (metrics: [metric: string, label: string, colour: string][]) => (a: Analytics) => metrics.flatMap(([m, label, colour]) => linesOf(a, m, () => label, "", () => colour));
  const speed = (n: number | null | undefined) => (n == null ? t("shell.unknown") : new Intl.NumberFormat(locale(), { maximumSignificantDigits: 3 }).format(n));

  return (
    <Page
      title={t("shell.analytics")}
      actions={
        <>
          <RangePicker />
          <CopyAs cli={`sluice stats -g ${place.gateway} --group ${group} --range ${range.text}${q ? ` '${q}'` : ""}`} path={address(read, account, ask({ metric: "requests,tokens,cost,error_rate", group }))} />
        </>
      }
    >
      <div className="mb-3">
        <FilterBar place={place} range={range.text} value={q} onChange={(text) => setQ(text || undefined, true)} />
      </div>
      <Controls group={group} setGroup={setGroup} compare={compare === "1"} setCompare={(on) => setCompare(on ? "1" : undefined)} basis={basis} setBasis={setBasis} />
      {tiles.isError && <ErrorPanel error={tiles.error} title={t("analytics.refused")} onRetry={() => void tiles.refetch()} />}
      {facts && <Notices facts={facts} time={time} />}
      <Tiles facts={facts} failed={tiles.isError} stale={tiles.isPlaceholderData} zone={zone} />
      {total === 0 && !q ? (
        <EmptyState title={t("analytics.empty")}>{t("analytics.emptyText")}</EmptyState>
      ) : (
        <>
          <div className="mt-4 grid gap-4 lg:grid-cols-2">
            {chart(outcomes, t("analytics.chartStatus"), t("analytics.unitRequests"), count, (a) => linesOf(a, "requests", outcomeName, t("analytics.other"), (key) => tones[key] ?? "series-other"), { stack: true })}
            {chart(costs, t("analytics.chartCost", { group: groupWord }), t("analytics.unitDollars"), money, (a) => linesOf(a, "cost", naming, t("analytics.other"), colourOf), { stack: true })}
            {chart(
              tokens,
              t("analytics.chartTokens"),
              t("analytics.unitTokens"),
              count,
              several([
                ["tokens_in", t("analytics.tokensIn"), "series-1"],
                ["tokens_out", t("analytics.tokensOut"), "series-2"],
                ["tokens_cache_read", t("analytics.cacheRead"), "series-3"],
                ["tokens_cache_write_5m", `${t("analytics.cacheWrite")} 5 min`, "series-4"],
                ["tokens_cache_write_1h", `${t("analytics.cacheWrite")} 1 h`, "series-6"],
                ["tokens_reasoning", t("analytics.reasoning"), "series-5"],
              ]),
            )}
            {chart(errors, t("analytics.chartErrors"), t("analytics.unitRequests"), count, (a) => linesOf(a, "errors", naming, t("analytics.other"), colourOf).filter((l) => l.total), { stack: true, condition: () => "status:error" })}
            {chart(single, t("analytics.chartDuration"), t("analytics.unitMs"), duration, several([["duration_p50", "p50", "series-1"], ["duration_p90", "p90", "series-2"], ["duration_p99", "p99", "series-6"]]))}
            {chart(single, t("analytics.chartTtft"), t("analytics.unitMs"), duration, several([["ttft_p50", "p50", "series-1"], ["ttft_p90", "p90", "series-2"], ["ttft_p99", "p99", "series-6"]]))}
            {chart(single, t("analytics.chartCacheRate"), t("analytics.unitPercent"), percent, one("cache_rate", t("analytics.chartCacheRate"), "cache"), { condition: () => "cached:yes" })}
            {chart(single, t("analytics.chartSaved"), t("analytics.unitDollars"), money, one("saved_cost", t("analytics.saved"), "cache"), { stack: true, condition: () => "cached:yes" })}
            {chart(single, t("analytics.chartCostPer1k"), t("analytics.unitDollars"), money, one("cost_per_1k", t("analytics.chartCostPer1k"), "series-1"))}
            {chart(single, t("analytics.chartSpeed"), t("analytics.unitSpeed"), speed, one("tokens_per_second", t("analytics.chartSpeed"), "series-3"))}
            {chart(single, t("analytics.chartOverhead"), t("analytics.unitMs"), duration, one("overhead_p99", "p99", "series-6"))}
          </div>
          <Breakdown place={place} query={query} group={group} groupWord={groupWord} onFilter={(condition) => setQ(filterWith(condition))} />
        </>
      )}
    </Page>
  );
}

interface ControlProps {
  group: string;
  setGroup: (group: string | undefined) => void;
  compare: boolean;
  setCompare: (on: boolean) => void;
  basis: string;
  setBasis: (basis: string) => void;
}

function Controls({ group, setGroup, compare, setCompare, basis, setBasis }: ControlProps) {
  const meta = group.startsWith("meta.");
  return (
    <div className="mb-4 flex flex-wrap items-center gap-x-5 gap-y-2">
      <label className="flex items-center gap-2">
        <span className="whitespace-nowrap text-muted">{t("analytics.group")}</span>
        <Select className="w-auto" value={meta ? "meta" : group} onChange={(e) => setGroup(e.target.value === "meta" ? "meta.user" : e.target.value)}>
          {groups.map((g) => (
            <option key={g} value={g}>
              {t(`analytics.${g}`)}
            </option>
          ))}
          <option value="meta">{t("analytics.metadata")}</option>
        </Select>
      </label>
      {meta && <Input className="w-36" aria-label={t("analytics.metadataKey")} defaultValue={group.slice(5)} onBlur={(e) => setGroup(e.target.value.trim() ? `meta.${e.target.value.trim()}` : undefined)} />}
      <label className="flex items-center gap-2">
        <span className="whitespace-nowrap text-muted">{t("analytics.basis")}</span>
        <Select className="w-auto" value={basis} onChange={(e) => setBasis(e.target.value)}>
          <option value="requests">{t("analytics.requests")}</option>
          <option value="attempts">{t("analytics.attempts")}</option>
        </Select>
      </label>
      <Check label={t("analytics.compare")} checked={compare} onChange={(e) => setCompare(e.target.checked)} />
    </div>
  );
}

/** What is missing in the numbers below, where something is. */
function Notices({ facts, time }: { facts: Analytics; time: (at: string) => string }) {
  return (
    <div className="mb-3 flex flex-col gap-2 empty:hidden">
      {facts.partial && facts.since && <Banner tone="warn">{t("analytics.partial", { since: time(facts.since) })}</Banner>}
      {facts.not_stored > 0 && <Banner>{t("analytics.notStored", { n: facts.not_stored })}</Banner>}
    </div>
  );
}
