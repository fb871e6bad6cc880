// The groups of a range in a table; a row becomes a condition of the filter.
import { useCall } from "@/api/query";
import type { Calls } from "@/api/types.gen";
import { literal } from "@/lib/filter";
import { count, duration, exact, money, percent } from "@/lib/format";
import type { Place } from "@/lib/place";
import { t } from "@/messages";
import { Card, EmptyState, ErrorPanel, Skeleton, Stale } from "@/ui/State";
import { change } from "./data";

const read = "GET /client/v4/accounts/{account}/ai-gateway/analytics";

interface Props {
  place: Place;
  query: Calls[typeof read]["query"];
  group: string;
  groupWord: string;
  onFilter: (condition: string) => void;
}

/** Names of the filter language for what can be grouped by. */
const fieldOf: Record<string, string> = { outcome: "status", cache: "cached", error_type: "error_type" };

export function Breakdown({ place, query, group, groupWord, onFilter }: Props) {
  const answer = useCall(read, { account: place.account }, { ...query, metric: "requests,tokens,cost,error_rate,duration_p95", group, interval: "none", cmp: true, limit: 50 });
  const a = answer.data?.result;
  const keys = [...new Set((a?.series ?? []).map((s) => s.key))];
  const of = (key: string, metric: string) => a?.series?.find((s) => s.key === key && s.metric === metric);
  const all = keys.reduce((n, key) => n + (of(key, "requests")?.total ?? 0), 0);
  return (
    <Card title={t("analytics.breakdown", { group: groupWord })} className="mt-4">
      {answer.isError && !a && <ErrorPanel error={answer.error} onRetry={() => void answer.refetch()} />}
      {!a && answer.isPending && <Skeleton lines={6} />}
      {a && keys.length === 0 && <EmptyState title={t("analytics.breakdownNone")} />}
      {a && keys.length > 0 && (
        <Stale stale={answer.isPlaceholderData} className="overflow-x-auto">
          <table className="w-full">
            <thead>
              <tr className="border-b border-line text-muted">
                <th scope="col" className="py-1 pe-4 text-start font-medium">{groupWord}</th>
                <th scope="col" className="py-1 pe-4 text-end font-medium">{t("analytics.tileRequests")}</th>
                <th scope="col" className="w-24 py-1 pe-4 text-start font-medium max-sm:hidden">{t("analytics.share")}</th>
                <th scope="col" className="py-1 pe-4 text-end font-medium">{t("analytics.tileTokens")}</th>
                <th scope="col" className="py-1 pe-4 text-end font-medium">{t("analytics.tileCost")}</th>
                <th scope="col" className="py-1 pe-4 text-end font-medium">{t("analytics.errors")}</th>
                <th scope="col" className="py-1 pe-4 text-end font-medium">{t("analytics.p95")}</th>
                <th scope="col" className="py-1 text-end font-medium">{t("analytics.change")}</th>
              </tr>
            </thead>
            <tbody>
              {keys.map((key) => {
                const requests = of(key, "requests");
                const share = all > 0 ? (requests?.total ?? 0) / all : 0;
                return (
                  <tr key={key} className="border-b border-line last:border-0 hover:bg-hover">
                    <th scope="row" className="py-1 pe-4 text-start font-normal break-all">
                      {key ? (
                        <button type="button" title={t("analytics.filterFor", { value: key })} className="min-h-6 text-start text-accent hover:underline" onClick={() => onFilter(condition(group, key))}>
                          {key}
                        </button>
                      ) : (
                        <span className="text-muted">{t("analytics.noValue")}</span>
                      )}
                    </th>
                    <td className="num py-1 pe-4 text-end">{exact(requests?.total)}</td>
                    <td className="py-1 pe-4 max-sm:hidden">
                      <div aria-hidden className="h-1.5 rounded-full bg-hover">
                        <div className="h-full rounded-full bg-accent" style={{ width: `${share * 100}%` }} />
                      </div>
                      <span className="sr-only">{percent(share)}</span>
                    </td>
                    <td className="num py-1 pe-4 text-end">{count(of(key, "tokens")?.total)}</td>
                    <td className="num py-1 pe-4 text-end">{money(of(key, "cost")?.total)}</td>
                    <td className="num py-1 pe-4 text-end">{percent(of(key, "error_rate")?.total)}</td>
                    <td className="num py-1 pe-4 text-end">{duration(of(key, "duration_p95")?.total)}</td>
                    <td className="num py-1 text-end">{percent(change(requests?.total, requests?.prev_total))}</td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </Stale>
      )}
    </Card>
  );
}

/** A group's value as a condition of the filter language. */
function condition(group: string, key: string): string {
  const field = fieldOf[group] ?? group;
  return `${field}:${field === "cached" ? (key === "hit" || key === "yes" || key === "true" ? "yes" : "no") : literal(key)}`;
}
