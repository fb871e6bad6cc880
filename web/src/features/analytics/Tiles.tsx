// The sums of the whole range, each with its course and how it stands to the period before.
import { Info } from "lucide-react";
import { Sparkline } from "@/components/Sparkline";
import type { Analytics } from "@/api/types.gen";
import { count, dateTime, duration, money, percent } from "@/lib/format";
import { t, type Key } from "@/messages";
import { IconButton } from "@/ui/Button";
import { classes } from "@/ui/classes";
import { Popover } from "@/ui/Overlay";
import { Skeleton, Stale } from "@/ui/State";
import { change } from "./data";

interface Tile {
  metric: string;
  label: Key;
  format: (n: number | null | undefined) => string;
  /** More is worse: its rise is shown so. */
  worse?: boolean;
}

const tiles: Tile[] = [
  { metric: "requests", label: "analytics.tileRequests", format: count },
  { metric: "tokens", label: "analytics.tileTokens", format: count },
  { metric: "cost", label: "analytics.tileCost", format: money, worse: true },
  { metric: "cache_rate", label: "analytics.tileCache", format: percent },
  { metric: "error_rate", label: "analytics.tileErrors", format: percent, worse: true },
  { metric: "duration_p95", label: "analytics.tileDuration", format: duration, worse: true },
  { metric: "ttft_p95", label: "analytics.tileTtft", format: duration, worse: true },
];

export function Tiles({ facts, failed, stale, zone }: { facts?: Analytics; failed: boolean; stale: boolean; zone: string }) {
  return (
    <Stale stale={stale} className="grid grid-cols-2 gap-3 md:grid-cols-4 lg:grid-cols-7">
      {tiles.map((tile) => (
        <TileBox key={tile.metric} tile={tile} facts={facts} failed={failed} zone={zone} />
      ))}
    </Stale>
  );
}

function TileBox({ tile, facts, failed, zone }: { tile: Tile; facts?: Analytics; failed: boolean; zone: string }) {
  const series = facts?.series?.find((s) => s.metric === tile.metric);
  const delta = change(series?.total, series?.prev_total);
  const saved = facts?.series?.find((s) => s.metric === "saved_cost")?.total;
  const note = tile.metric === "cache_rate" && saved ? t("analytics.tileSaved", { amount: money(saved) }) : tile.metric === "cost" && facts?.unpriced ? t("analytics.tileUnpriced", { n: facts.unpriced }) : undefined;
  return (
    <section aria-label={t(tile.label)} className="flex min-w-0 flex-col rounded-lg border border-line bg-surface px-3 py-2">
      <div className="flex items-center gap-1">
        <h2 className="min-w-0 flex-1 truncate text-xs font-normal text-muted">{t(tile.label)}</h2>
        {facts && <About label={t(tile.label)} facts={facts} zone={zone} />}
      </div>
      {facts || failed ? <p className="text-xl font-semibold tabular-nums">{tile.format(series?.total)}</p> : <Skeleton lines={1} className="py-1.5" />}
      <p className="min-h-4 text-xs">
        {delta !== null && (
          <span className={classes(delta === 0 ? "text-muted" : delta > 0 === !!tile.worse ? "text-bad" : "text-ok")} title={t("analytics.delta", { delta: percent(delta) })}>
            <span aria-hidden>{delta > 0 ? "▲" : delta < 0 ? "▼" : "="} </span>
            {percent(Math.abs(delta))}
          </span>
        )}{" "}
        {note && <span className="text-muted">{note}</span>}
      </p>
      <Sparkline values={series?.values ?? []} className="mt-1 w-full" />
    </section>
  );
}

/** What a number counts, until when it is complete, and what it lacks. */
function About({ label, facts, zone }: { label: string; facts: Analytics; zone: string }) {
  return (
    <Popover
      label={t("analytics.about")}
      align="end"
      className="max-w-72"
      trigger={
        <IconButton size="sm" label={`${t("analytics.about")}: ${label}`}>
          <Info size={12} aria-hidden />
        </IconButton>
      }
    >
      <p>{t("analytics.aboutText", { basis: t(`analytics.${facts.basis}`), zone, complete: t("analytics.complete", { time: dateTime(facts.complete_until, zone) }) })}</p>
      {facts.estimated > 0 && <p>{t("analytics.aboutEstimated", { n: facts.estimated })}</p>}
      {facts.unpriced > 0 && <p>{t("analytics.aboutUnpriced", { n: facts.unpriced })}</p>}
    </Popover>
  );
}
