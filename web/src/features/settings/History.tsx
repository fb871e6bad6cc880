// Who changed what of a gateway.
import { useCall } from "@/api/query";
import { dateTime, relative } from "@/lib/format";
import type { Place } from "@/lib/place";
import { useZone } from "@/lib/zone";
import { t } from "@/messages";
import { Badge, EmptyState, ErrorPanel, Skeleton } from "@/ui/State";
import { show } from "./Conflict";

export function History({ place }: { place: Place }) {
  const [zone] = useZone();
  const query = useCall("GET /client/v4/accounts/{account}/ai-gateway/audit", { account: place.account }, { gateway: place.gateway, per_page: 50 });
  if (query.isPending) return <Skeleton lines={6} />;
  if (query.isError) return <ErrorPanel error={query.error} onRetry={() => void query.refetch()} />;
  const entries = query.data.result ?? [];
  if (entries.length === 0) return <EmptyState title={t("settings.historyNone")} />;
  return (
    <ol className="flex flex-col gap-3">
      {entries.map((entry) => (
        <li key={entry.id} className="rounded-lg border border-line px-4 py-2">
          <div className="flex flex-wrap items-baseline gap-x-3">
            <span className="font-medium">{entry.action.info}</span>
            <Badge>{entry.interface}</Badge>
            <span className="text-muted">{entry.actor.name || entry.actor.email || entry.actor.type}</span>
            <time className="ms-auto text-xs text-muted" dateTime={entry.when} title={dateTime(entry.when, zone)}>
              {relative(entry.when, zone)}
            </time>
          </div>
          {!!entry.changes?.length && (
            <ul className="mt-1 flex flex-col gap-0.5">
              {entry.changes.map((change) => (
                <li key={change.path} className="break-words">
                  <code>{change.path}</code> <s className="text-muted">{show(change.old)}</s> <span aria-hidden>→</span> <span className="font-medium">{show(change.new)}</span>
                </li>
              ))}
            </ul>
          )}
        </li>
      ))}
    </ol>
  );
}
