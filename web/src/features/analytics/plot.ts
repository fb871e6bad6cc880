// Drawing on the canvas, with uPlot: bars that lie on each other, or lines.
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { locale } from "@/messages";
import { stacked, type Line } from "./data";

/** All that decides what a chart looks like. */
export interface Content {
  times: string[];
  lines: Line[];
  stack: boolean;
  /** The last interval is not over. */
  open: boolean;
  theme: string;
  zone: string;
}

interface Hooks {
  format: (n: number | null | undefined) => string;
  onCursor: (interval: number | null | undefined) => void;
  /** Milliseconds. */
  onZoom: (from: number, to: number) => void;
  onOpen: (interval: number) => void;
}

/** Pixels. */
export const height = 176;

export function draw(holder: HTMLElement, content: Content, hooks: Hooks): uPlot {
  return new uPlot(options(holder.clientWidth, content, hooks), data(content), holder);
}

function data({ times, lines, stack }: Content): uPlot.AlignedData {
  const x = times.map((moment) => Date.parse(moment) / 1000);
  // Stacked bars are drawn from the highest down, so that each shows what the ones below it leave.
  const y = stack ? stacked(lines).toReversed() : lines.flatMap((l) => (l.prev ? [l.values, l.prev] : [l.values]));
  return [x, ...y] as uPlot.AlignedData;
}

function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

const dashes = [undefined, [6, 3], [2, 3]];

function seriesOf({ times, lines, stack }: Content): uPlot.Series[] {
  if (stack) {
    return lines.toReversed().map((line) => ({ fill: colour(line.colour), stroke: colour(line.colour), width: 0, paths: uPlot.paths.bars!({ size: [0.8, 60], gap: 1 }), points: { show: false } }));
  }
  return lines.flatMap((line, i) => {
    const now: uPlot.Series = { stroke: colour(line.colour), width: 1.75, dash: dashes[i % dashes.length], points: { show: times.length < 3 } };
    const before: uPlot.Series = { stroke: colour("series-other"), width: 1, dash: [4, 4], points: { show: false } };
    return line.prev ? [now, before] : [now];
  });
}

/** Writes the time of a tick: the day where it begins or where intervals are days, else the time of day. */
function tickOf({ zone, times }: Content): (seconds: number) => string {
  const long = times.length > 1 && Date.parse(times[1]!) - Date.parse(times[0]!) >= 86_400_000;
  const day = new Intl.DateTimeFormat(locale(), { timeZone: zone, month: "short", day: "numeric" });
  const clock = new Intl.DateTimeFormat(locale(), { timeZone: zone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  return (seconds) => {
    const at = clock.format(seconds * 1000);
    return long || at === "00:00" ? day.format(seconds * 1000) : at;
  };
}

function options(width: number, content: Content, hooks: Hooks): uPlot.Options {
  const { stack, zone, open } = content;
  const axis: uPlot.Axis = { stroke: colour("muted"), font: "12px 'Geist Mono Variable', monospace", grid: { stroke: colour("line"), width: 1 }, ticks: { show: false } };
  // What is counted has no halves: a tick between whole numbers would be written like its neighbour.
  const tick = (v: number) => (Number.isInteger(v) || hooks.format(v) !== hooks.format(Math.round(v)) ? hooks.format(v) : "");
  return {
    width,
    height,
    legend: { show: false },
    padding: [6, 8, 0, 0],
    cursor: { sync: { key: "analytics" }, drag: { x: true, y: false, setScale: false }, points: { show: !stack } },
    tzDate: (ts) => uPlot.tzDate(new Date(ts * 1000), zone),
    scales: { y: { range: (_, __, high) => [0, high > 0 ? high * 1.08 : 1] } },
    axes: [
      { ...axis, space: 70, size: 28, values: (_, ticks) => ticks.map(tickOf(content)) },
      { ...axis, size: 62, values: (_, ticks) => ticks.map(tick) },
    ],
    series: [{}, ...seriesOf(content)],
    hooks: {
      setCursor: [(u) => hooks.onCursor(u.cursor.idx)],
      setSelect: [
        (u) => {
          const { left, width: wide } = u.select;
          if (wide < 4) return;
          u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          hooks.onZoom(u.posToVal(left, "x") * 1000, u.posToVal(left + wide, "x") * 1000);
        },
      ],
      ready: [
        (u) => {
          // A press that moves is a selection, and no click.
          let pressed = 0;
          u.over.addEventListener("mousedown", (e) => (pressed = e.clientX));
          u.over.addEventListener("click", (e) => {
            if (u.cursor.idx != null && Math.abs(e.clientX - pressed) < 4) hooks.onOpen(u.cursor.idx);
          });
        },
      ],
      draw: open ? [hatch] : [],
    },
  };
}

/** Marks the last interval, which is not over, with slanted lines. */
function hatch(u: uPlot) {
  const x = u.data[0];
  if (x.length < 2) return;
  const last = x.at(-1)!;
  const half = (last - x.at(-2)!) / 2;
  const left = u.valToPos(last - half, "x", true);
  const right = Math.min(u.valToPos(last + half, "x", true), u.bbox.left + u.bbox.width);
  const { ctx } = u;
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, u.bbox.top, right - left, u.bbox.height);
  ctx.clip();
  ctx.strokeStyle = getComputedStyle(document.documentElement).getPropertyValue("--surface");
  ctx.lineWidth = 2;
  for (let d = left - u.bbox.height; d < right; d += 7) {
    ctx.beginPath();
    ctx.moveTo(d, u.bbox.top + u.bbox.height);
    ctx.lineTo(d + u.bbox.height, u.bbox.top);
    ctx.stroke();
  }
  ctx.restore();
}
