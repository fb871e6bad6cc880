// How numbers, money and times read. Unknown is a dash, never 0.
import { locale, t } from "@/messages";

type Known = number | null | undefined;

const formats = new Map<string, Intl.NumberFormat>();

function number(options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = locale() + JSON.stringify(options);
  let f = formats.get(key);
  if (!f) formats.set(key, (f = new Intl.NumberFormat(locale(), options)));
  return f;
}

function unknown(n: Known): n is null | undefined {
  return n === null || n === undefined || Number.isNaN(n);
}

/** Whole numbers as they are up to 99,999; then 1.2 M. */
export function count(n: Known): string {
  if (unknown(n)) return t("shell.unknown");
  if (Math.abs(n) < 100_000) return number({ maximumFractionDigits: 0 }).format(n);
  return number({ notation: "compact", maximumFractionDigits: 1 }).format(n);
}

/** A whole number with all its digits. */
export function exact(n: Known): string {
  return unknown(n) ? t("shell.unknown") : number({ maximumFractionDigits: 0 }).format(n);
}

/** US dollars. Small amounts keep three significant digits: $0.0000420, never $0.00. */
export function money(dollars: Known): string {
  if (unknown(dollars)) return t("shell.unknown");
  if (dollars === 0) return number({ style: "currency", currency: "USD", maximumFractionDigits: 0 }).format(0);
  const size = Math.abs(dollars);
  if (size >= 100_000) return number({ style: "currency", currency: "USD", notation: "compact", maximumFractionDigits: 1 }).format(dollars);
  if (size >= 1) return number({ style: "currency", currency: "USD", minimumFractionDigits: 2, maximumFractionDigits: 2 }).format(dollars);
  return number({ style: "currency", currency: "USD", minimumSignificantDigits: 3, maximumSignificantDigits: 3 }).format(dollars);
}

/** Milliseconds: ms up to 999, then s, min, h. */
export function duration(ms: Known): string {
  if (unknown(ms)) return t("shell.unknown");
  if (ms < 1) return `${number({ maximumSignificantDigits: 2 }).format(ms)} ms`;
  if (ms < 999.5) return `${number({ maximumFractionDigits: 0 }).format(ms)} ms`;
  if (ms < 60_000) return `${number({ maximumSignificantDigits: 3 }).format(ms / 1000)} s`;
  if (ms < 3_600_000) return `${number({ maximumFractionDigits: 1 }).format(ms / 60_000)} min`;
  return `${number({ maximumFractionDigits: 1 }).format(ms / 3_600_000)} h`;
}

/** A share of one, as per cent. */
export function percent(share: Known): string {
  if (unknown(share)) return t("shell.unknown");
  const digits = share !== 0 && Math.abs(share) < 0.1 ? 1 : 0;
  return number({ style: "percent", minimumFractionDigits: digits, maximumFractionDigits: digits }).format(share);
}

/** Bytes in decimal units, as disks are sold. */
export function bytes(n: Known): string {
  if (unknown(n)) return t("shell.unknown");
  const units = ["B", "kB", "MB", "GB", "TB"];
  let size = n;
  let unit = 0;
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000;
    unit++;
  }
  return `${number({ maximumFractionDigits: unit === 0 ? 0 : 1 }).format(size)} ${units[unit]}`;
}

const clocks = new Map<string, Intl.DateTimeFormat>();

function clock(zone: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = locale() + zone + JSON.stringify(options);
  let f = clocks.get(key);
  if (!f) clocks.set(key, (f = new Intl.DateTimeFormat(locale(), { timeZone: zone, hourCycle: "h23", ...options })));
  return f;
}

/** Time of day, to the second: 14:32:08. */
export function timeOfDay(at: string | number | Date, zone: string): string {
  return clock(zone, { hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(new Date(at));
}

/** Date and time, to the second. */
export function dateTime(at: string | number | Date | null | undefined, zone: string): string {
  if (at === null || at === undefined) return t("shell.unknown");
  return clock(zone, { year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(new Date(at));
}

/** How long ago, in words, under an hour; then the date. */
export function relative(at: string | number | Date | null | undefined, zone: string, now = Date.now()): string {
  if (at === null || at === undefined) return t("shell.unknown");
  const seconds = Math.round((new Date(at).getTime() - now) / 1000);
  const words = new Intl.RelativeTimeFormat(locale(), { numeric: "auto", style: "narrow" });
  if (Math.abs(seconds) < 60) return words.format(seconds, "second");
  if (Math.abs(seconds) < 3600) return words.format(Math.trunc(seconds / 60), "minute");
  return dateTime(at, zone);
}
