// The states that every part of a page has beside its own: loading, old, empty, failed, denied.
import { useEffect, useState, type ReactNode } from "react";
import { CircleAlert, Inbox, Lock } from "lucide-react";
import { ApiError } from "@/api/client";
import { t } from "@/messages";
import { Button } from "./Button";
import { classes } from "./classes";

/** Grey lines in the shape of what comes, after 150 ms: what is quick does not flicker. */
export function Skeleton({ lines = 3, className }: { lines?: number; className?: string }) {
  const [late, set] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => set(true), 150);
    return () => clearTimeout(timer);
  }, []);
  return (
    <div aria-busy className={classes("flex flex-col gap-2", className)}>
      <span className="sr-only">{t("shell.loading")}</span>
      {late && Array.from({ length: lines }, (_, i) => <div key={i} className={classes("h-4 rounded-sm bg-hover", i === lines - 1 && lines > 1 && "w-2/3")} />)}
    </div>
  );
}

/** Old content while new is fetched: dimmed, under a thin line. */
export function Stale({ stale, className, children }: { stale: boolean; className?: string; children: ReactNode }) {
  return (
    <div aria-busy={stale || undefined} className={classes("relative transition-opacity", stale && "opacity-80", className)}>
      {stale && <div aria-hidden className="absolute inset-x-0 top-0 h-0.5 animate-pulse bg-accent" />}
      {children}
    </div>
  );
}

export function EmptyState({ title, children, action }: { title: string; children?: ReactNode; action?: ReactNode }) {
  return (
    <div className="flex flex-col items-center gap-2 px-4 py-10 text-center">
      <Inbox size={24} aria-hidden className="text-faint" />
      <p className="text-md font-medium">{title}</p>
      {children && <div className="max-w-prose text-muted">{children}</div>}
      {action && <div className="mt-1">{action}</div>}
    </div>
  );
}

/** What failed, why, what to do, and by which id the log of the process knows it. */
export function ErrorPanel({ error, title, onRetry }: { error: unknown; title?: string; onRetry?: () => void }) {
  const api = error instanceof ApiError ? error : undefined;
  const denied = api?.status === 403;
  const Icon = denied ? Lock : CircleAlert;
  return (
    <div role="alert" className={classes("flex items-start gap-3 rounded-lg border px-4 py-3", denied ? "border-line bg-sunken" : "border-bad bg-bad-soft")}>
      <Icon size={18} aria-hidden className={classes("mt-0.5 shrink-0", denied ? "text-muted" : "text-bad")} />
      <div className="min-w-0 flex-1">
        <p className="font-medium">{title ?? t("shell.errorTitle")}</p>
        <p className="break-words">{error instanceof Error ? error.message : String(error)}</p>
        {api?.field && <p className="text-xs">{t("shell.errorField", { field: api.field })}</p>}
        {api?.hint && <p className="text-xs">{api.hint}</p>}
        {api?.requestId && <p className="num mt-1 text-muted">{api.requestId}</p>}
      </div>
      {onRetry && (
        <Button size="sm" onClick={onRetry}>
          {t("shell.retry")}
        </Button>
      )}
    </div>
  );
}

type Tone = "ok" | "warn" | "bad" | "cache" | "block" | "plain";

const tones: Record<Tone, string> = {
  ok: "bg-ok-soft text-ok",
  warn: "bg-warn-soft text-warn",
  bad: "bg-bad-soft text-bad",
  cache: "bg-cache-soft text-cache",
  block: "bg-block-soft text-block",
  plain: "bg-sunken text-muted",
};

/** A word in a coloured pill; the word says it, the colour only helps. */
export function Badge({ tone = "plain", children, title }: { tone?: Tone; children: ReactNode; title?: string }) {
  return (
    <span title={title} className={classes("inline-flex items-center gap-1 rounded-full px-2 text-xs whitespace-nowrap", tones[tone])}>
      {children}
    </span>
  );
}

/** A message across a page's width. */
export function Banner({ tone = "plain", children, action }: { tone?: Tone; children: ReactNode; action?: ReactNode }) {
  return (
    <div role="status" className={classes("flex flex-wrap items-center gap-3 rounded-lg px-4 py-2", tones[tone])}>
      <div className="min-w-0 flex-1">{children}</div>
      {action}
    </div>
  );
}

/** A part of a page with a title. */
export function Card({ title, aside, className, children }: { title?: ReactNode; aside?: ReactNode; className?: string; children: ReactNode }) {
  return (
    <section className={classes("min-w-0 rounded-lg border border-line bg-surface", className)}>
      {(title || aside) && (
        <div className="flex flex-wrap items-center gap-2 border-b border-line px-4 py-2">
          <h2 className="text-md font-semibold">{title}</h2>
          {aside && <div className="ms-auto flex items-center gap-2">{aside}</div>}
        </div>
      )}
      <div className="p-4">{children}</div>
    </section>
  );
}
