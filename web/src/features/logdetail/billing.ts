// The classes of a usage with their prices. The server's sum is the bill; this shows how it comes about.
import type { Entry } from "@/api/types.gen";

export interface BilledRow {
  name: string;
  units: number;
  /** US dollars for a million tokens or a thousand pieces; undefined: there is none. */
  price?: number;
  amount?: number;
}

const tokenClasses = ["input", "cache_read", "cache_write_5m", "cache_write_1h", "audio_input", "image_input", "output", "reasoning", "audio_output", "image_output"];
const pieces = ["web_searches", "search_units", "images", "pages"];

export function perMillion(name: string): boolean {
  return !pieces.includes(name);
}

/** Parts of input and output that have a price of their own are taken out of these, so that nothing counts twice. */
export function billed(usage: Entry["usage"], usd: Record<string, string | number>): BilledRow[] {
  const told = (usage ?? {}) as Record<string, number | string | undefined>;
  const units = (name: string) => (typeof told[name] === "number" ? (told[name] as number) : 0);
  const price = (name: string) => (usd[name] === undefined ? undefined : Number(usd[name]));
  const apart = (whole: "input" | "output", names: string[]) => units(whole) - names.reduce((n, name) => n + (price(name) === undefined ? 0 : units(name)), 0);
  const own: Record<string, number> = {
    input: apart("input", ["cache_read", "cache_write_5m", "cache_write_1h", "audio_input", "image_input"]),
    output: apart("output", ["reasoning", "audio_output", "image_output"]),
  };
  return [...tokenClasses, ...pieces].flatMap((name): BilledRow[] => {
    const n = own[name] ?? units(name);
    const each = price(name);
    if (n <= 0 || (each === undefined && !(name in own) && !pieces.includes(name))) return [];
    return [{ name, units: n, price: each, amount: each === undefined ? undefined : (n * each) / (perMillion(name) ? 1e6 : 1e3) }];
  });
}
