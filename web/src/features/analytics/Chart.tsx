// One chart: bars on each other, or lines; the same numbers as a table, a file, a sentence; each interval opens the
// logs behind it.
import { ChartColumn, Ellipsis, Table } from "lucide-react";
import { useEffect, useId, useRef, useState, type KeyboardEvent } from "react";
import type uPlot from "uplot";
import { useShownTheme } from "@/lib/theme";
import { t } from "@/messages";
import { IconButton } from "@/ui/Button";
import { Menu, type MenuItem } from "@/ui/Overlay";
import { Card, Skeleton, Stale } from "@/ui/State";
import { csv, stacked, type Line } from "./data";
import { draw, height, type Content } from "./plot";

interface Props {
  title: string;
  unit: string;
  /** Starts of the intervals, RFC 3339. */
  t: string[];
  lines: Line[];
  stack?: boolean;
  format: (n: number | null | undefined) => string;
  /** Writes the time of an interval. */
  time: (at: string) => string;
  zone: string;
  /** The last interval is not over. */
  open: boolean;
  stale: boolean;
  onZoom: (from: number, to: number) => void;
  /** Opens the logs of an interval. */
  onOpen: (interval: number, line?: Line) => void;
}

export function Chart(props: Props) {
  const { title, unit, lines, stale } = props;
  const [table, setTable] = useState(false);
  const [plot, setPlot] = useState<uPlot>();
  const empty = lines.every((l) => l.values.every((v) => v === null || v === 0));
  function picture() {
    plot?.ctx.canvas.toBlob((made) => made && save(made, `${title}.png`));
  }
  const items: MenuItem[] = [
    { label: table ? t("analytics.chart") : t("analytics.table"), icon: table ? <ChartColumn size={14} aria-hidden /> : <Table size={14} aria-hidden />, onSelect: () => setTable(!table) },
    { label: t("analytics.csv"), onSelect: () => save(new Blob([csv(props.t, lines, t("analytics.time"))], { type: "text/csv" }), `${title}.csv`) },
  ];
  if (!table) items.push({ label: t("analytics.png"), onSelect: picture });
  return (
    <Card
      title={title}
      aside={
        <>
          <span className="text-xs text-muted">{unit}</span>
          <Menu
            items={items}
            trigger={
              <IconButton size="sm" label={t("analytics.menu", { chart: title })}>
                <Ellipsis size={14} aria-hidden />
              </IconButton>
            }
          />
        </>
      }
    >
      <Stale stale={stale}>
        <p className="sr-only">{summary(props, empty)}</p>
        {table ? <ChartTable {...props} /> : <Drawing {...props} plot={plot} onPlot={setPlot} empty={empty} />}
        <Legend lines={lines} format={props.format} total={!!props.stack} />
      </Stale>
    </Card>
  );
}

function save(content: Blob, name: string) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function summary({ title, lines, stack, t: times, format, time, open }: Props, empty: boolean): string {
  if (empty) return t("analytics.summaryNone", { chart: title });
  const last = open ? ` ${t("analytics.incomplete")}` : "";
  if (stack) {
    const tops = stacked(lines).at(-1)!.map((v) => v ?? 0);
    const peak = tops.indexOf(Math.max(...tops));
    const total = lines.reduce((n, l) => n + (l.total ?? 0), 0);
    return t("analytics.summary", { chart: title, total: format(total), when: time(times[peak]!), most: format(tops[peak]) }) + last;
  }
  const known = lines.flatMap((l) => l.values.filter((v) => v !== null));
  return t("analytics.summaryLines", { chart: title, least: format(Math.min(...known)), most: format(Math.max(...known)) }) + last;
}

function Legend({ lines, format, total }: { lines: Line[]; format: Props["format"]; total: boolean }) {
  if (lines.length === 1 && !lines[0]!.prev) return null;
  return (
    <ul className="mt-2 flex flex-wrap gap-x-4 gap-y-1">
      {lines.map((line) => (
        <li key={line.key} className="flex min-w-0 items-center gap-1.5">
          <span aria-hidden className="size-2.5 shrink-0 rounded-sm" style={{ background: `var(--${line.colour})` }} />
          <span className="min-w-0 truncate">{line.label}</span>
          {total && <span className="num text-muted">{format(line.total)}</span>}
        </li>
      ))}
    </ul>
  );
}

function ChartTable({ t: times, lines, format, time }: Props) {
  return (
    <div className="max-h-64 overflow-auto" tabIndex={0}>
      <table className="w-full">
        <thead className="sticky top-0 bg-surface">
          <tr className="border-b border-line text-muted">
            <th scope="col" className="pe-4 text-start font-medium">{t("analytics.time")}</th>
            {lines.map((l) => (
              <th key={l.key} scope="col" className="pe-4 text-end font-medium">{l.label}</th>
            ))}
          </tr>
        </thead>
        <tbody>
          {times.map((at, i) => (
            <tr key={at} className="border-b border-line last:border-0">
              <th scope="row" className="num pe-4 text-start font-normal whitespace-nowrap">{time(at)}</th>
              {lines.map((l) => (
                <td key={l.key} className="num pe-4 text-end">{format(l.values[i])}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** The canvas. It is hidden from screen readers; the region around it takes the keys and says where the cursor is. */
function Drawing({ title, t: times, lines, stack, format, time, zone, open, onZoom, onOpen, plot, onPlot, empty }: Props & { plot?: uPlot; onPlot: (plot: uPlot | undefined) => void; empty: boolean }) {
  const place = useRef<HTMLDivElement>(null);
  const theme = useShownTheme();
  const id = useId();
  const [at, setAt] = useState<number>();
  const act = useRef({ format, onZoom, onOpen });
  useEffect(() => {
    act.current = { format, onZoom, onOpen };
  });
  // What is drawn, as text: the arrays are made anew with every render, but seldom with other content.
  const content = JSON.stringify({ times, lines, stack: !!stack, open, theme, zone } satisfies Content);
  useEffect(() => {
    const holder = place.current;
    const what = JSON.parse(content) as Content;
    if (!holder || what.times.length === 0) return;
    const chart = draw(holder, what, {
      format: (n) => act.current.format(n),
      onCursor: (interval) => setAt(interval ?? undefined),
      onZoom: (from, to) => act.current.onZoom(from, to),
      onOpen: (interval) => act.current.onOpen(interval),
    });
    onPlot(chart);
    const resize = new ResizeObserver(() => chart.setSize({ width: holder.clientWidth, height }));
    resize.observe(holder);
    return () => {
      resize.disconnect();
      chart.destroy();
      onPlot(undefined);
    };
  }, [content, onPlot]);

  const keys = (e: KeyboardEvent) => {
    const now = at ?? times.length;
    const to = e.key === "ArrowRight" ? now + 1 : e.key === "ArrowLeft" ? now - 1 : e.key === "Home" ? 0 : e.key === "End" ? times.length - 1 : undefined;
    if (e.key === "Enter" && at !== undefined) return onOpen(at);
    if (to === undefined) return;
    e.preventDefault();
    const next = Math.max(0, Math.min(times.length - 1, to));
    setAt(next);
    plot?.setCursor({ left: plot.valToPos(Date.parse(times[next]!) / 1000, "x"), top: 10 }, false);
  };
  const said = at !== undefined && times[at] !== undefined ? `${time(times[at]!)}: ${lines.map((l) => `${l.label} ${format(l.values[at])}`).join(", ")}` : "";
  return (
    <div role="application" aria-label={title} aria-describedby={id} tabIndex={0} onKeyDown={keys} className="rounded-md">
      <span id={id} className="sr-only">
        {t("analytics.cursorHelp")}
      </span>
      <div ref={place} aria-hidden className="relative w-full" style={{ height }}>
        {empty && <p className="absolute inset-0 z-10 grid place-items-center text-muted">{t("analytics.empty")}</p>}
      </div>
      <p aria-live="polite" className="num min-h-4 truncate text-muted">
        {said}
      </p>
    </div>
  );
}

/** Where a chart will be. */
export function ChartSkeleton({ title }: { title: string }) {
  return (
    <Card title={title}>
      <Skeleton lines={7} />
    </Card>
  );
}
