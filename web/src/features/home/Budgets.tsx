// Budgets of which the most is used.
import { Link } from "@tanstack/react-router";
import { useCall } from "@/api/query";
import { money } from "@/lib/format";
import { at, usePlace } from "@/lib/place";
import { t } from "@/messages";
import { Card, ErrorPanel } from "@/ui/State";

export function Budgets() {
  const place = usePlace();
  const usage = useCall("GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/limits/usage", place, undefined, { every: 15_000 });
  const rules = usage.data?.result.spend_limits ?? [];
  const bars = rules
    .flatMap((rule) => (rule.budgets ?? []).map((b) => ({ rule, b, share: rule.limit && b.spent !== null ? b.spent / rule.limit : 0 })))
    .sort((a, b) => b.share - a.share)
    .slice(0, 4);
  return (
    <Card title={t("home.budgets")} aside={<Link to={at(place, "budgets")} className="text-xs">{t("home.allBudgets")}</Link>}>
      {usage.error && <ErrorPanel error={usage.error} onRetry={() => void usage.refetch()} />}
      {usage.data && rules.length === 0 && <p className="text-muted">{t("home.noBudgets")}</p>}
      {rules.length > 0 && bars.length === 0 && <p className="text-muted">{t("home.budgetsUnused")}</p>}
      <ul className="flex flex-col gap-3">
        {bars.map(({ rule, b, share }) => {
          const name = b.values ? `${rule.id} · ${Object.values(b.values).join(", ")}` : rule.id;
          return (
            <li key={name}>
              <div className="flex items-baseline gap-2">
                <span className="min-w-0 flex-1 truncate">{name}</span>
                <span className={`num ${share >= 1 ? "text-bad" : share >= 0.8 ? "text-warn" : ""}`}>{t("home.spentOf", { spent: money(b.spent), limit: money(rule.limit) })}</span>
              </div>
              <div role="meter" aria-label={name} aria-valuemin={0} aria-valuemax={100} aria-valuenow={Math.round(Math.min(share, 1) * 100)} className="mt-1 h-1.5 overflow-hidden rounded-full bg-hover">
                <div className={`h-1.5 ${share >= 1 ? "bg-bad" : share >= 0.8 ? "bg-warn" : "bg-accent"}`} style={{ width: `${Math.min(share, 1) * 100}%` }} />
              </div>
            </li>
          );
        })}
      </ul>
    </Card>
  );
}
