// Requests over the range, by how they went. It is also the way to any moment of it: a click jumps there, a drag zooms.
import { useId, useRef, useState, type KeyboardEvent, type PointerEvent } from "react";
import type { Histogram as Data } from "@/api/types.gen";
import { count, dateTime } from "@/lib/format";
import { t, type Key } from "@/messages";

const parts = ["ok", "cached", "cancelled", "blocked", "error"] as const;
const fills: Record<(typeof parts)[number], string> = { ok: "fill-ok", cached: "fill-cache", cancelled: "fill-muted", blocked: "fill-block", error: "fill-bad" };
const words: Record<(typeof parts)[number], Key> = { ok: "status.ok", cached: "status.cached", cancelled: "status.cancelled", blocked: "status.blocked", error: "logs.errors" };

interface Props {
  data: Data;
  zone: string;
  /** Where the list begins, if not at its newest. */
  at?: number;
  onJump: (to: number) => void;
  onZoom: (from: number, to: number) => void;
  onBack: () => void;
}

export function Histogram({ data, zone, at, onJump, onZoom, onBack }: Props) {
  const [cursor, setCursor] = useState<number | undefined>();
  const [drag, setDrag] = useState<{ from: number; to: number } | undefined>();
  const box = useRef<HTMLDivElement>(null);
  const helpId = useId();
  const starts = (data.t ?? []).map((s) => Date.parse(s));
  const n = starts.length;
  const step = data.interval_seconds * 1000;
  const most = Math.max(1, ...(data.requests ?? []));
  const describe = (i: number) => {
    const counts = parts.filter((p) => data[p]?.[i]).map((p) => `${t(words[p])} ${count(data[p]![i])}`);
    return t("logs.bar", { time: dateTime(starts[i], zone), n: data.requests?.[i] ?? 0, parts: counts.join(", ") || "0" });
  };
  const barAt = (x: number) => {
    const { left, width } = box.current!.getBoundingClientRect();
    return Math.min(n - 1, Math.max(0, Math.floor(((x - left) / width) * n)));
  };
  const down = (e: PointerEvent) => {
    if (e.button !== 0) return;
    e.currentTarget.setPointerCapture(e.pointerId);
    const i = barAt(e.clientX);
    setDrag({ from: i, to: i });
  };
  const up = () => {
    if (!drag) return;
    const [a, b] = [Math.min(drag.from, drag.to), Math.max(drag.from, drag.to)];
    setDrag(undefined);
    if (a === b) onJump(starts[a]! + step);
    else onZoom(starts[a]!, starts[b]! + step);
  };
  const onKeyDown = (e: KeyboardEvent) => {
    const now = cursor ?? n - 1;
    const to = { ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: n - 1, PageUp: now - 10, PageDown: now + 10 }[e.key];
    if (to !== undefined) setCursor(Math.min(n - 1, Math.max(0, to)));
    else if (e.key === "Enter" && cursor !== undefined) onJump(starts[cursor]! + step);
    else if (e.key === "+" && cursor !== undefined) onZoom(starts[Math.max(0, cursor - 2)]!, starts[Math.min(n - 1, cursor + 2)]! + step);
    else if (e.key === "Backspace") onBack();
    else return;
    e.preventDefault();
    e.stopPropagation();
  };
  if (n === 0) return null;
  const shown = drag ? drag.to : cursor;
  return (
    <div className="relative">
      <p id={helpId} hidden>
        {t("logs.histogramHelp")}
      </p>
      <div
        ref={box}
        role="slider"
        tabIndex={0}
        aria-label={t("logs.histogram")}
        aria-valuemin={0}
        aria-valuemax={n - 1}
        aria-valuenow={cursor ?? n - 1}
        aria-valuetext={describe(cursor ?? n - 1)}
        aria-describedby={helpId}
        className="h-14 cursor-crosshair touch-pan-y rounded-sm select-none"
        onPointerDown={down}
        onPointerMove={(e) => {
          const i = barAt(e.clientX);
          setCursor(i);
          if (drag) setDrag({ ...drag, to: i });
        }}
        onPointerUp={up}
        onPointerCancel={() => setDrag(undefined)}
        onPointerLeave={() => !drag && setCursor(undefined)}
        onBlur={() => setCursor(undefined)}
        onDoubleClick={onBack}
        onKeyDown={onKeyDown}
      >
        <svg aria-hidden viewBox={`0 0 ${n} 56`} preserveAspectRatio="none" className="size-full">
          {drag && <rect x={Math.min(drag.from, drag.to)} width={Math.abs(drag.to - drag.from) + 1} y={0} height={56} className="fill-hover" />}
          {shown !== undefined && !drag && <rect x={shown} width={1} y={0} height={56} className="fill-hover" />}
          {starts.map((start, i) => {
            let y = 55;
            return parts.map((p) => {
              const value = data[p]?.[i] ?? 0;
              if (!value) return null;
              const height = Math.max(1, (value / most) * 53);
              y -= height;
              return <rect key={`${start}${p}`} x={i + 0.1} width={0.8} y={Math.max(0, y)} height={height} className={fills[p]} />;
            });
          })}
          <rect x={0} width={n} y={55} height={1} className="fill-line" />
          {at !== undefined && step > 0 && <rect x={Math.max(0, (at - starts[0]!) / step - 0.08)} width={0.16} y={0} height={56} className="fill-accent" />}
        </svg>
      </div>
      {shown !== undefined && (
        <div aria-hidden className="pointer-events-none absolute end-0 top-0 rounded-sm bg-surface px-1.5 text-xs text-muted shadow-float">
          {describe(shown)}
        </div>
      )}
    </div>
  );
}
