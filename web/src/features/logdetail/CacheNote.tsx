// What the cache did, and why: the parts of this request's key beside those of the nearest request before.
import { Link } from "@tanstack/react-router";
import { useId, useState } from "react";
import { useCall } from "@/api/query";
import type { CacheExplanation, Entry } from "@/api/types.gen";
import { duration, money } from "@/lib/format";
import { at } from "@/lib/place";
import { t } from "@/messages";
import { Button } from "@/ui/Button";
import { classes } from "@/ui/classes";
import { Badge, ErrorPanel, Skeleton } from "@/ui/State";
import type { Spot } from "./body";

const call = "GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/logs/{id}/cache-explain";

export function CacheNote({ spot, entry }: { spot: Spot; entry: Entry }) {
  const [open, setOpen] = useState(false);
  const panel = useId();
  const status = entry.cache_status;
  if (!status || entry.ending === "in_flight") return null;
  const word = { hit: "detail.cacheHit", miss: "detail.cacheMiss", off: "detail.cacheOff" } as const;
  return (
    <div className="flex flex-col gap-2">
      <div className="flex flex-wrap items-center gap-2">
        <span className="text-2xs text-muted">{t("detail.cache")}</span>
        <Badge tone={status === "hit" ? "cache" : "plain"}>{t(word[status as keyof typeof word] ?? word.off)}</Badge>
        {entry.cache_reason && <span className="text-xs">{entry.cache_reason}</span>}
        {entry.saved && <span className="text-xs text-muted">{t("detail.savedBoth", { amount: money(entry.saved.cost), time: duration(entry.saved.time_ms) })}</span>}
        <Button size="sm" look="quiet" aria-expanded={open} aria-controls={panel} onClick={() => setOpen(!open)}>
          {t("detail.cacheWhy")}
        </Button>
      </div>
      <div id={panel}>{open && <Why spot={spot} />}</div>
    </div>
  );
}

/** Fetched only when asked for: it reads bodies, which is noted in the audit log. */
function Why({ spot }: { spot: Spot }) {
  const query = useCall(call, { ...spot }, undefined, { staleTime: Infinity });
  if (query.error) return <ErrorPanel error={query.error} onRetry={() => void query.refetch()} />;
  const why = query.data?.result;
  if (!why || why.id !== spot.id) return <Skeleton lines={2} />;
  return (
    <div className="flex min-w-0 flex-col gap-2 rounded-lg border border-line bg-surface p-3">
      <p>{why.why}</p>
      {why.nearest && (
        <p className="text-xs text-muted">
          {t("detail.cacheNearest", { n: why.compared })} <Link to={at(spot, `logs/${why.nearest.id}`)}>{why.nearest.id}</Link>
        </p>
      )}
      {(why.parts?.length ?? 0) > 0 && <Parts why={why} />}
    </div>
  );
}

function Parts({ why }: { why: CacheExplanation }) {
  return (
    <div className="overflow-x-auto" tabIndex={0} role="group" aria-label={t("detail.cacheParts")}>
      <table className="num w-full">
        <thead className="text-muted">
          <tr>
            {(["part", "this", "nearest"] as const).map((name) => (
              <th key={name} className="px-2 py-0.5 text-start font-normal">
                {t(`detail.cache_${name}`)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {why.parts!.map((part) => (
            <tr key={part.name} className={classes("border-t border-line", part.name === why.first_difference && "bg-warn-soft text-warn")}>
              <th scope="row" className="px-2 py-0.5 text-start font-normal whitespace-nowrap">
                {part.name} {part.name === why.first_difference && <span>({t("detail.cacheFirst")})</span>}
              </th>
              <td className="px-2 break-all">{part.this ?? t("shell.unknown")}</td>
              <td className="px-2 break-all">{part.same ? t("detail.cacheSame") : (part.nearest ?? t("shell.unknown"))}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
