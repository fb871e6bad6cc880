// What charts draw, out of what the analytics call answers: at most six series and the rest, colours that stay with a
// name, tables and files of the same numbers.
import type { Analytics } from "@/api/types.gen";

export interface Line {
  key: string;
  label: string;
  /** Name of a colour token. */
  colour: string;
  values: (number | null)[];
  total: number | null;
  prev?: (number | null)[];
}

const most = 6;

/** Values of one metric, a line for each group; beyond six, the rest is one. Sums only: rates have no rest. */
export function linesOf(a: Analytics, metric: string, naming: (key: string) => string, other: string, colourOf: (key: string) => string): Line[] {
  const length = (a.t ?? []).length;
  const series = (a.series ?? []).filter((s) => s.metric === metric);
  const lines = series.map((s) => ({
    key: s.key + (s.then ? ` ${s.then}` : ""),
    label: [s.key, s.then].filter((k) => k !== undefined).map((k) => naming(k!)).join(" · "),
    colour: colourOf(s.key + (s.then ?? "")),
    values: s.values ?? Array<null>(length).fill(null),
    total: s.total,
    prev: s.prev ?? undefined,
  }));
  lines.sort((x, y) => (y.total ?? 0) - (x.total ?? 0));
  if (lines.length <= most + 1) return lines;
  const rest = lines.slice(most);
  const sum = (pick: (l: Line) => number | null | undefined) => rest.reduce<number | null>((n, l) => (pick(l) == null ? n : (n ?? 0) + pick(l)!), null);
  return [
    ...lines.slice(0, most),
    { key: "\u0000other", label: other, colour: "series-other", values: Array.from({ length }, (_, i) => sum((l) => l.values[i])), total: sum((l) => l.total) },
  ];
}

/** Heights at which stacked bars end, lowest first. What is not known adds nothing. */
export function stacked(lines: Line[]): (number | null)[][] {
  const length = lines[0]?.values.length ?? 0;
  const height = Array<number>(length).fill(0);
  return lines.map((line) =>
    line.values.map((value, i) => {
      if (value !== null) height[i]! += value;
      return value === null && height[i] === 0 ? null : height[i]!;
    }),
  );
}

const stored = "sluice.colours";

/** Gives names their colours: a name keeps the one that it had first, here and on later days. */
export function colours(): (name: string) => string {
  const known = new Map<string, number>(read());
  return (name) => {
    let place = known.get(name);
    if (place === undefined) {
      const uses = [1, 2, 3, 4, 5, 6].map((n) => [...known.values()].filter((v) => v === n).length);
      place = uses.indexOf(Math.min(...uses)) + 1;
      known.set(name, place);
      localStorage.setItem(stored, JSON.stringify([...known].slice(-200)));
    }
    return `series-${place}`;
  };
}

function read(): [string, number][] {
  try {
    const list = JSON.parse(localStorage.getItem(stored) ?? "[]") as unknown;
    return Array.isArray(list) ? list.filter((e): e is [string, number] => Array.isArray(e) && typeof e[0] === "string" && typeof e[1] === "number" && e[1] >= 1 && e[1] <= 6) : [];
  } catch {
    return [];
  }
}

/** The numbers of a chart as CSV (RFC 4180): a row for each interval. A cell that a spreadsheet would take for a
 * formula begins with an apostrophe. */
export function csv(t: string[], lines: Line[], timeHead: string): string {
  const cell = (text: string) => {
    const safe = /^[=+\-@\t]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text;
    return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const rows = [[timeHead, ...lines.map((l) => l.label)], ...t.map((at, i) => [at, ...lines.map((l) => String(l.values[i] ?? ""))])];
  return rows.map((r) => r.map(cell).join(",")).join("\r\n") + "\r\n";
}

/** Range from the start of interval i to that of the one behind j, as the URL has it. */
export function intervalRange(t: string[], to: string, i: number, j = i): string {
  const trim = (at: string) => at.replace(/(:00)?\.000Z$/, "Z");
  return `${trim(t[i]!)}..${trim(t[j + 1] ?? to)}`;
}

/** How a total stands to the one of the period before, as a share; null: there is nothing to compare with. */
export function change(now: number | null | undefined, before: number | null | undefined): number | null {
  return now == null || before == null || before === 0 ? null : (now - before) / before;
}
