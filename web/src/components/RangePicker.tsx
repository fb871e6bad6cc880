// The range of time and the zone of a screen; both stand in the URL, and the zone is printed beside the range.
import { CalendarClock } from "lucide-react";
import { useState } from "react";
import { dateTime } from "@/lib/format";
import { boundsOf, fromWallClock, lengths, rangeOf, usualRange, useRange, wallClock, zones, type Range } from "@/lib/range";
import { browserZone, useZone } from "@/lib/zone";
import { t, type Key } from "@/messages";
import { Button, buttonClass } from "@/ui/Button";
import { Field, Input, Select } from "@/ui/Field";
import { Popover } from "@/ui/Overlay";

/** A range in words. */
function rangeWords(range: Range, zone: string): string {
  if (range.text in lengths) return t(`range.${range.text}` as Key);
  const [from, to] = range.text.split("..");
  if (to === undefined) return t("range.last", { text: range.text });
  if (!to) return t("range.since", { from: dateTime(from, zone) });
  if (!from) return t("range.until", { to: dateTime(to, zone) });
  return t("range.between", { from: dateTime(from, zone), to: dateTime(to, zone) });
}

export function RangePicker({ byDefault = usualRange }: { byDefault?: string }) {
  const [range, setRange] = useRange(byDefault);
  const [zone, setZone] = useZone();
  const [open, setOpen] = useState(false);
  const choose = (text: string) => {
    setRange(text);
    setOpen(false);
  };
  return (
    <Popover
      label={t("range.label")}
      open={open}
      onOpenChange={setOpen}
      align="end"
      className="w-72"
      trigger={
        <button type="button" data-keys="t" className={buttonClass()}>
          <CalendarClock size={14} aria-hidden />
          <span className="max-w-64 truncate">{rangeWords(range, zone)}</span>
          <span className="text-xs text-muted max-sm:hidden">{zone}</span>
        </button>
      }
    >
      <div className="grid grid-cols-2 gap-1" role="group" aria-label={t("range.label")}>
        {Object.keys(lengths).map((text) => (
          <Button key={text} look={text === range.text ? "primary" : "quiet"} size="sm" aria-pressed={text === range.text} className="justify-start" onClick={() => choose(text)}>
            {t(`range.${text}` as Key)}
          </Button>
        ))}
      </div>
      <Custom key={`${range.text} ${zone}`} range={range} zone={zone} onApply={choose} />
      <Field label={t("range.zone")} className="mt-3 border-t border-line pt-3">
        {(control) => (
          <Select {...control} value={zone} onChange={(e) => setZone(e.target.value)}>
            {(zones().includes(zone) ? zones() : [zone, ...zones()]).map((name) => (
              <option key={name} value={name}>
                {name === browserZone ? t("range.browser", { zone: name }) : name}
              </option>
            ))}
          </Select>
        )}
      </Field>
    </Popover>
  );
}

function Custom({ range, zone, onApply }: { range: Range; zone: string; onApply: (text: string) => void }) {
  const [bounds] = useState(() => boundsOf(range).map((at) => wallClock(at || Date.now() - 86_400_000, zone)));
  const [from, setFrom] = useState(bounds[0]!);
  const [to, setTo] = useState(bounds[1]!);
  const backwards = from !== "" && to !== "" && from >= to;
  return (
    <form
      className="mt-3 flex flex-col gap-2 border-t border-line pt-3"
      onSubmit={(e) => {
        e.preventDefault();
        if (from && to && !backwards) onApply(rangeOf(new Date(fromWallClock(from, zone)), new Date(fromWallClock(to, zone))));
      }}
    >
      <Field label={t("range.from")}>{(control) => <Input {...control} type="datetime-local" value={from} onChange={(e) => setFrom(e.target.value)} />}</Field>
      <Field label={t("range.to")} error={backwards ? t("range.order") : undefined}>
        {(control) => <Input {...control} type="datetime-local" value={to} onChange={(e) => setTo(e.target.value)} />}
      </Field>
      <Button type="submit" size="sm" aria-disabled={backwards || undefined} className="self-end">
        {t("range.apply")}
      </Button>
    </form>
  );
}
