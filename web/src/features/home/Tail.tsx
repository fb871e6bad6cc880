// The last eight requests, as they come.
import { Link } from "@tanstack/react-router";
import { useCall } from "@/api/query";
import type { Entry } from "@/api/types.gen";
import { StatusChip } from "@/components/Status";
import { count, duration, money, timeOfDay } from "@/lib/format";
import { ofGateway, useLive } from "@/lib/live";
import { at, usePlace } from "@/lib/place";
import { useZone } from "@/lib/zone";
import { t } from "@/messages";
import { Card, ErrorPanel, Skeleton } from "@/ui/State";
import { useState } from "react";
import { merge } from "./recent";

const rows = 8;

export function Tail() {
  const place = usePlace();
  const [zone] = useZone();
  const [live, setLive] = useState<Entry[]>([]);
  const stored = useCall("GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/logs", place, { basis: "requests", per_page: rows });
  const state = useLive({ account: place.account, kinds: ["logs"], q: ofGateway(place.gateway) }, (events) => {
    if (events.some((e) => e.type === "resync")) void stored.refetch();
    setLive((before) => merge(before, events, rows));
  });
  const list = merge(stored.data?.result ?? [], live.toReversed().map((log) => ({ type: "update" as const, matches: true, log })), rows);
  return (
    <Card
      title={t("home.now")}
      aside={
        <>
          <span className={`text-xs ${state === "live" ? "text-ok" : "text-muted"}`}>{t(state === "live" ? "home.live" : state === "reconnecting" ? "home.reconnecting" : "home.notLive")}</span>
          <Link to={at(place, "logs")} className="text-xs">
            {t("home.allLogs")}
          </Link>
        </>
      }
    >
      {stored.error && <ErrorPanel error={stored.error} onRetry={() => void stored.refetch()} />}
      {stored.isPending && <Skeleton lines={rows} />}
      {stored.data && list.length === 0 && <p className="text-muted">{t("home.noRequests")}</p>}
      <ul className="-mx-2 -my-2">
        {list.map((log) => (
          <li key={log.id}>
            <Row log={log} zone={zone} />
          </li>
        ))}
      </ul>
    </Card>
  );
}

function Row({ log, zone }: { log: Entry; zone: string }) {
  const place = usePlace();
  return (
    <Link
      to={at(place, "logs")}
      search={{ log: log.id }}
      className="grid grid-cols-[4rem_minmax(0,1fr)_auto] items-center gap-x-3 rounded-md px-2 py-1 text-text no-underline -outline-offset-2 hover:bg-hover sm:h-8 sm:grid-cols-[4rem_8rem_minmax(0,1fr)_5.5rem_4.5rem_3.5rem]"
    >
      <span className="num text-muted">{log.created_at ? timeOfDay(log.created_at, zone) : t("shell.unknown")}</span>
      <StatusChip entry={log} />
      <span className="truncate max-sm:col-span-2 max-sm:col-start-2 max-sm:row-start-2 max-sm:text-muted">
        {log.provider}
        <span className="text-faint">{"/"}</span>
        {log.served_model ?? log.model}
      </span>
      <span className="num text-end text-muted max-sm:hidden">
        {count(log.tokens_in)}
        {" → "}
        {count(log.tokens_out)}
      </span>
      <span className="num text-end max-sm:hidden">{money(log.cost)}</span>
      <span className="num text-end">{log.ending === "in_flight" ? t("home.running") : duration(log.duration)}</span>
    </Link>
  );
}
