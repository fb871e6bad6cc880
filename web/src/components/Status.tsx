// How a request went: icon, word and colour. The words are those of the filter language.
import { Ban, CircleAlert, CircleCheck, CircleDashed, CircleX, Clock, RotateCcw, ShieldAlert, type LucideIcon } from "lucide-react";
import type { Entry } from "@/api/types.gen";
import { t, type Key } from "@/messages";
import { classes } from "@/ui/classes";

export type Status = "ok" | "cached" | "in_flight" | "rate_limited" | "blocked" | "provider_error" | "client_error" | "cancelled";

const unserved = new Set(["unreachable", "timeout", "cut", "stalled", "error_event", "crashed", "panic", "shutdown"]);

export function statusOf(e: Pick<Entry, "ending" | "cached" | "status_code" | "success">): Status {
  if (e.ending === "in_flight") return "in_flight";
  if (e.ending === "client_gone" || e.ending === "client_slow") return "cancelled";
  if (e.cached) return "cached";
  if (e.success) return "ok";
  if (e.status_code === 429) return "rate_limited";
  if (e.ending === "refused") return "blocked";
  if (unserved.has(e.ending ?? "")) return "provider_error";
  if (e.status_code && e.status_code >= 400 && e.status_code < 500) return "client_error";
  return "provider_error";
}

const looks: Record<Status, { icon: LucideIcon; word: Key; tone: string }> = {
  ok: { icon: CircleCheck, word: "status.ok", tone: "text-ok" },
  cached: { icon: RotateCcw, word: "status.cached", tone: "text-cache" },
  in_flight: { icon: CircleDashed, word: "status.inFlight", tone: "text-accent" },
  rate_limited: { icon: Clock, word: "status.rateLimited", tone: "text-warn" },
  blocked: { icon: ShieldAlert, word: "status.blocked", tone: "text-block" },
  provider_error: { icon: CircleX, word: "status.providerError", tone: "text-bad" },
  client_error: { icon: CircleAlert, word: "status.clientError", tone: "text-bad" },
  cancelled: { icon: Ban, word: "status.cancelled", tone: "text-muted" },
};

export function statusWord(status: Status): string {
  return t(looks[status].word);
}

/** Status in a line of its own: icon, word, and the code where it says more. */
export function StatusChip({ entry, className }: { entry: Pick<Entry, "ending" | "cached" | "status_code" | "success">; className?: string }) {
  const status = statusOf(entry);
  const { icon: Icon, word, tone } = looks[status];
  const code = entry.status_code && status !== "ok" && status !== "cached" && status !== "in_flight" ? entry.status_code : undefined;
  return (
    <span className={classes("inline-flex min-w-0 items-center gap-1.5 whitespace-nowrap", tone, className)}>
      <Icon size={14} aria-hidden className="shrink-0" />
      <span className="truncate">{t(word)}</span>
      {code && <span className="num">{code}</span>}
    </span>
  );
}
