// Six figures of the last day; each opens the rows behind it.
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { useCall } from "@/api/query";
import type { Summary } from "@/api/types.gen";
import { Sparkline } from "@/components/Sparkline";
import { count, dateTime, duration, money, percent } from "@/lib/format";
import { at, usePlace } from "@/lib/place";
import { useZone } from "@/lib/zone";
import { t } from "@/messages";

export function Tiles({ summary: s }: { summary: Summary }) {
  const place = usePlace();
  const [zone] = useZone();
  const times = useCall("GET /client/v4/accounts/{account}/ai-gateway/analytics", { account: place.account }, { gateway: place.gateway, metric: "duration_p95", range: "24h", interval: "none" }, { every: 30_000 });
  const p95 = times.data?.result.series?.[0]?.total;
  const basis = t("home.basis", { until: dateTime(s.complete_until, zone), zone });
  const logs = (q?: string): TileProps["link"] => ({ to: at(place, "logs"), search: q ? { q } : {} });
  return (
    <div className="grid grid-cols-2 gap-px overflow-hidden rounded-lg border border-line bg-line sm:grid-cols-3">
      <Tile label={t("home.requests")} value={count(s.requests)} title={basis} link={logs()}>
        <Sparkline values={s.sparkline.requests ?? []} />
      </Tile>
      <Tile label={t("home.cost")} value={money(s.cost)} title={s.unpriced ? `${basis} ${t("home.unpriced", { n: s.unpriced })}` : basis} link={{ to: at(place, "analytics"), search: {} }}>
        <Sparkline values={s.sparkline.cost ?? []} />
      </Tile>
      <Tile label={t("home.errors")} value={percent(s.error_rate)} title={basis} bad={s.errors > 0} link={logs("status:error")}>
        <Sparkline values={(s.sparkline.errors ?? []).map(() => null)} bad={s.sparkline.errors ?? []} />
      </Tile>
      <Tile label={t("home.tokens")} value={count(s.tokens)} title={s.estimated ? `${basis} ${t("home.estimated", { n: s.estimated })}` : basis} link={{ to: at(place, "analytics"), search: {} }} />
      <Tile label={t("home.cacheRate")} value={percent(s.cache_rate)} title={basis} link={logs("cached:yes")} />
      <Tile label={t("home.p95")} value={duration(p95)} title={basis} link={typeof p95 === "number" ? logs(`duration:>${Math.round(p95)}ms`) : logs()} />
    </div>
  );
}

interface TileProps {
  label: string;
  value: string;
  title: string;
  bad?: boolean;
  link: { to: string; search: Record<string, string> };
  children?: ReactNode;
}

function Tile({ label, value, title, bad, link, children }: TileProps) {
  return (
    <Link {...link} title={title} className="flex min-w-0 flex-col gap-1 bg-surface p-3 text-text no-underline -outline-offset-2 hover:bg-hover">
      <span className="text-xs text-muted">{label}</span>
      <span className={`text-xl font-semibold tabular-nums ${bad ? "text-bad" : ""}`}>{value}</span>
      {children}
    </Link>
  );
}
