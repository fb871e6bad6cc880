// What went wrong in the last day, by kind and provider.
import { Link } from "@tanstack/react-router";
import { useCall } from "@/api/query";
import { count } from "@/lib/format";
import { at, usePlace } from "@/lib/place";
import { t } from "@/messages";
import { Card, ErrorPanel } from "@/ui/State";

export function Errors({ errors }: { errors: number }) {
  const place = usePlace();
  const groups = useCall(
    "GET /client/v4/accounts/{account}/ai-gateway/analytics",
    { account: place.account },
    { gateway: place.gateway, metric: "requests", group: "provider,error_type", q: "status:error", range: "24h", interval: "none", limit: 6 },
    { every: 30_000, enabled: errors > 0 },
  );
  const list = (groups.data?.result.series ?? []).filter((s) => s.then && s.total);
  const most = Math.max(1, ...list.map((s) => s.total ?? 0));
  return (
    <Card title={t("home.errorGroups")}>
      {errors === 0 && <p className="text-muted">{t("home.noErrors")}</p>}
      {groups.error && <ErrorPanel error={groups.error} onRetry={() => void groups.refetch()} />}
      <ul className="-mx-2 -my-2">
        {list.map((s) => (
          <li key={`${s.key} ${s.then}`}>
            <Link
              to={at(place, "logs")}
              search={{ q: `status:error${s.key ? ` provider:${s.key}` : ""} error_type:${s.then}` }}
              className="grid grid-cols-[minmax(0,1fr)_30%_3rem] items-center gap-3 rounded-md px-2 py-1.5 text-text no-underline -outline-offset-2 hover:bg-hover"
            >
              <span className="truncate">
                {s.key || t("home.noProvider")} <span className="text-muted">{s.then}</span>
              </span>
              <span aria-hidden className="h-2 rounded-full bg-sunken">
                <span className="block h-2 rounded-full bg-bad" style={{ width: `${((s.total ?? 0) / most) * 100}%` }} />
              </span>
              <span className="num text-end">{count(s.total)}</span>
            </Link>
          </li>
        ))}
      </ul>
    </Card>
  );
}
