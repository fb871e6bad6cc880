// Whether the list follows what happens, in words, and the switch for it.
import { Pause, Play } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { count } from "@/lib/format";
import type { LiveState } from "@/lib/live";
import { t } from "@/messages";
import { buttonClass } from "@/ui/Button";
import { classes } from "@/ui/classes";

interface Props {
  state: LiveState;
  /** People paused it, not the place where they look. */
  off: boolean;
  held: boolean;
  waiting: string;
  skipped: number;
  onToggle: () => void;
}

export function LiveBadge({ state, off, held, waiting, skipped, onToggle }: Props) {
  const [tone, text] =
    state === "denied"
      ? ["bg-bad", t("logs.liveDenied")]
      : state === "full"
        ? ["bg-warn", t("logs.liveFull")]
        : state === "reconnecting"
          ? ["bg-warn", t("logs.reconnecting")]
          : state === "connecting" || state === "off"
            ? ["bg-control", t("logs.connecting")]
            : off || held
              ? ["bg-control", waiting === "0" ? t("logs.paused") : t("logs.pausedNew", { n: waiting })]
              : skipped > 0
                ? ["bg-warn", t("logs.behind", { n: count(skipped) })]
                : ["bg-ok", t("logs.live")];
  const Icon = off ? Play : Pause;
  return (
    <button type="button" className={buttonClass()} aria-pressed={!off} aria-label={`${t("logs.follow")}: ${text}`} aria-keyshortcuts="l" title={`${off ? t("logs.resume") : t("logs.pause")} (l)`} onClick={onToggle}>
      <span aria-hidden className={classes("size-2 rounded-full", tone)} />
      <span>{text}</span>
      <Icon size={12} aria-hidden className="text-muted" />
    </button>
  );
}

/** Says what came, every ten seconds at most, to who listens to the page. */
export function Announcer({ news }: { news: { requests: number; errors: number } }) {
  const [said, say] = useState("");
  const before = useRef({ requests: 0, errors: 0 });
  const latest = useRef(news);
  useEffect(() => {
    latest.current = news;
  });
  useEffect(() => {
    const timer = setInterval(() => {
      const requests = latest.current.requests - before.current.requests;
      const errors = latest.current.errors - before.current.errors;
      before.current = { ...latest.current };
      if (requests > 0) say(t("logs.news", { n: requests, errors }));
    }, 10_000);
    return () => clearInterval(timer);
  }, []);
  return (
    <div role="status" className="sr-only">
      {said}
    </div>
  );
}
