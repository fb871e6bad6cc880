// The events of a streamed answer, with their places; played again as fast as they came, where times are known.
import { Pause, Play, RotateCcw } from "lucide-react";
import { useEffect, useMemo, useRef, useState } from "react";
import type { Entry } from "@/api/types.gen";
import { Messages } from "@/components/Conversation";
import { assembled, readAnswerOf } from "@/lib/conversation";
import { splitEvents, type StreamEvent } from "@/lib/conversation/events";
import { bytes, duration, exact } from "@/lib/format";
import { t } from "@/messages";
import { Button } from "@/ui/Button";
import { ErrorPanel, Skeleton } from "@/ui/State";
import { large, stored, useBody, type Spot } from "./body";
import { NotStored } from "./BodyTab";

/** Rows that are shown at once: the rest by a button. */
const page = 300;

export function StreamTab({ spot, entry }: { spot: Spot; entry: Entry }) {
  const there = stored(entry, "response");
  const body = useBody(spot, "response", there && (entry.response?.stored ?? 0) <= large);
  const events = useMemo(() => body.data && splitEvents(body.data.bytes, body.data.type), [body.data]);
  if (!there) return <NotStored entry={entry} side="response" />;
  if ((entry.response?.stored ?? 0) > large) return <p className="text-muted">{t("detail.big", { size: bytes(entry.response?.stored) })}</p>;
  if (body.error) return <ErrorPanel error={body.error} onRetry={() => void body.refetch()} />;
  if (!body.data) return <Skeleton lines={6} />;
  if (!events?.length) return <p className="text-muted">{t("detail.noStream")}</p>;
  return <Events events={events} entry={entry} />;
}

/** Milliseconds for which the whole stream plays: as long as it took, from the first event to the end. */
function playTime(entry: Entry): number | undefined {
  const last = (entry.attempts ?? []).at(-1);
  if (last?.end_ms == null || last.first_byte_ms == null) return undefined;
  return Math.max(0, last.end_ms - last.first_byte_ms);
}

function Events({ events, entry }: { events: StreamEvent[]; entry: Entry }) {
  const [shown, setShown] = useState(page);
  const total = playTime(entry);
  const [at, setAt] = useState<number>();
  const [running, setRunning] = useState(false);
  const from = useRef({ time: 0, event: 0 });
  const span = total ?? 0;
  useEffect(() => {
    if (!running) return;
    let frame = requestAnimationFrame(function step(now) {
      if (!from.current.time) from.current.time = now;
      // Times of single events are not kept: they are spread over the stream by their place in it.
      const size = events.at(-1)!.offset + events.at(-1)!.size;
      const reached = span ? ((now - from.current.time) / span) * size + (events[from.current.event]?.offset ?? 0) : size;
      const next = events.findIndex((e) => e.offset + e.size > reached);
      setAt(next < 0 ? events.length : next);
      if (next < 0) setRunning(false);
      else frame = requestAnimationFrame(step);
    });
    return () => cancelAnimationFrame(frame);
  }, [running, events, span]);
  const play = () => {
    from.current = { time: 0, event: at === undefined || at >= events.length ? 0 : at };
    setRunning(true);
  };
  const said = useMemo(() => (at === undefined ? undefined : readAnswerOf(assembled(events.slice(0, at)))), [at, events]);
  return (
    <div className="flex min-w-0 flex-col gap-2">
      <div className="flex flex-wrap items-center gap-2">
        <Button size="sm" onClick={running ? () => setRunning(false) : play}>
          {running ? <Pause size={13} aria-hidden /> : <Play size={13} aria-hidden />}
          {running ? t("detail.pause") : t("detail.play")}
        </Button>
        {at !== undefined && (
          <Button size="sm" look="quiet" onClick={() => (setRunning(false), setAt(undefined))}>
            <RotateCcw size={13} aria-hidden />
            {t("detail.rewind")}
          </Button>
        )}
        <span className="text-xs text-muted">
          {t("detail.events", { n: events.length })}, {duration(total)}. {t("detail.spread")}
        </span>
      </div>
      {said && <Messages messages={said.answered} />}
      <ol className="flex flex-col" aria-label={t("detail.tab_stream")}>
        {events.slice(0, shown).map((e, i) => (
          <li key={i} aria-current={i === at ? "step" : undefined} className={`grid grid-cols-[4.5rem_1fr] gap-2 border-b border-line py-1 ${at !== undefined && i >= at ? "opacity-50" : ""}`}>
            <span className="num text-end text-muted" title={bytes(e.size)}>
              {exact(e.offset)}
            </span>
            <span className="num min-w-0">
              {e.name && <span className="me-2 text-cache">{e.name}</span>}
              <span className="break-all">{e.data.length > 400 ? `${e.data.slice(0, 400)}…` : e.data}</span>
            </span>
          </li>
        ))}
      </ol>
      {shown < events.length && (
        <Button size="sm" className="self-start" onClick={() => setShown(shown + page * 3)}>
          {t("detail.moreEvents", { n: events.length - shown })}
        </Button>
      )}
    </div>
  );
}
