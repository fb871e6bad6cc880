// Why the cache did not answer, or that it did.
import type { Entry } from "@/api/types.gen";
import { duration, money } from "@/lib/format";
import { t } from "@/messages";
import { Badge } from "@/ui/State";
import type { Spot } from "./body";

export function CacheNote({ entry }: { spot: Spot; entry: Entry }) {
  const status = entry.cache_status;
  if (!status || status === "off") return null;
  return (
    <div className="flex flex-wrap items-center gap-2">
      <span className="text-2xs text-muted">{t("detail.cache")}</span>
      <Badge tone={status === "hit" ? "cache" : "plain"}>{status === "hit" ? t("detail.cacheHit") : t("detail.cacheMiss")}</Badge>
      {entry.cache_reason && <span className="text-xs">{entry.cache_reason}</span>}
      {entry.saved && <span className="text-xs text-muted">{t("detail.savedBoth", { amount: money(entry.saved.cost), time: duration(entry.saved.time_ms) })}</span>}
    </div>
  );
}
