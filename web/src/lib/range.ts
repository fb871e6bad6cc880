// The range of time that a screen is about, as the URL and the API write it: "24h", or two moments with ".." between.
import { browserZone } from "./zone";
import { useParam } from "./search";

/** The lengths on offer, in minutes. */
export const lengths: Record<string, number> = { "15m": 15, "1h": 60, "6h": 360, "24h": 1440, "7d": 10_080, "30d": 43_200, "90d": 129_600 };

export const usualRange = "24h";

export interface Range {
  /** As it stands in the URL, and as the API takes it. */
  text: string;
  /** It ends now, and moves on. */
  relative: boolean;
}

const moment = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2}))?$/;

/** Reads a range; undefined where it is none. */
export function parseRange(text: string): Range | undefined {
  if (/^[1-9]\d{0,5}[mhdw]$/.test(text)) return { text, relative: true };
  const [from, to, more] = text.split("..");
  if (to === undefined || more !== undefined || (from === "" && to === "")) return undefined;
  if ((from && !moment.test(from)) || (to && !moment.test(to))) return undefined;
  if (from && to && Date.parse(from) >= Date.parse(to)) return undefined;
  return { text, relative: to === "" };
}

/** The range of a pair of moments, to the minute where they have no seconds. */
export function rangeOf(from: Date, to: Date): string {
  const text = (at: Date) => at.toISOString().replace(/(:00)?\.000Z$/, "Z");
  return `${text(from)}..${text(to)}`;
}

/** Begin and end of a range, in milliseconds. */
export function boundsOf(range: Range, now = Date.now()): [number, number] {
  const length = /^(\d+)([mhdw])$/.exec(range.text);
  if (length) return [now - Number(length[1]) * { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 }[length[2] as "m"]!, now];
  const [from, to] = range.text.split("..");
  return [from ? Date.parse(from) : 0, to ? Date.parse(to) : now];
}

/** The screen's range. One in the URL that is none is left out. */
export function useRange(byDefault = usualRange): [Range, (text: string | undefined) => void] {
  const [text, set] = useParam("range", byDefault);
  return [parseRange(text) ?? { text: byDefault, relative: true }, set];
}

/** Wall-clock time in a zone, as datetime-local fields have it: "2026-11-24T14:30". */
export function wallClock(at: number, zone: string): string {
  const parts = new Intl.DateTimeFormat("en-CA", { timeZone: zone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" }).formatToParts(at);
  const of = (type: string) => parts.find((p) => p.type === type)!.value;
  return `${of("year")}-${of("month")}-${of("day")}T${of("hour")}:${of("minute")}`;
}

/** The moment of a wall-clock time in a zone. One that a change of clocks skips is the moment after. */
export function fromWallClock(text: string, zone: string): number {
  const asIfUTC = Date.parse(`${text}Z`);
  let at = asIfUTC;
  // Where the zone's offset changes between the guess and the answer, the second round mends it.
  for (let round = 0; round < 2; round++) at = asIfUTC - (Date.parse(`${wallClock(at, zone)}Z`) - at + (at % 60_000));
  return at;
}

/** The zones on offer: the browser's, UTC, then all that the browser knows. */
export function zones(): string[] {
  return [...new Set([browserZone, "UTC", ...Intl.supportedValuesOf("timeZone")])];
}
