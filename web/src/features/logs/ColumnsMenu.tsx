// Which columns the list has, in which order and width: all of it without a pointer, too.
import { ArrowDown, ArrowUp, Columns3, Minus, Plus } from "lucide-react";
import { t } from "@/messages";
import { Button, IconButton, buttonClass } from "@/ui/Button";
import { Check, Switch } from "@/ui/Field";
import { Popover } from "@/ui/Overlay";
import { allColumns, byDefault, columnsOf, headerOf, parseColumns, type Chosen } from "./columns";

interface Props {
  chosen: Chosen[];
  onChange: (chosen: Chosen[]) => void;
  comfortable: boolean;
  onComfortable: (on: boolean) => void;
  plain: boolean;
  onPlain: (on: boolean) => void;
}

export function ColumnsMenu({ chosen, onChange, comfortable, onComfortable, plain, onPlain }: Props) {
  const widths = new Map(columnsOf(chosen, "UTC").map((c) => [c.id, c.width]));
  const move = (i: number, by: number) => {
    const next = [...chosen];
    next.splice(i + by, 0, ...next.splice(i, 1));
    onChange(next);
  };
  const size = (i: number, by: number) => onChange(chosen.map((c, j) => (j === i ? { ...c, width: Math.max(48, (widths.get(c.id) ?? 100) + by) } : c)));
  return (
    <Popover
      label={t("logs.columns")}
      align="end"
      className="w-80"
      trigger={
        <button type="button" className={buttonClass("quiet")}>
          <Columns3 size={14} aria-hidden />
          <span className="max-sm:sr-only">{t("logs.columns")}</span>
        </button>
      }
    >
      <ul className="flex flex-col">
        {chosen.map((c, i) => {
          const what = headerOf(c.id);
          return (
            <li key={c.id} className="flex items-center gap-0.5">
              <Check label={what} checked disabled={chosen.length === 1} onChange={() => onChange(chosen.filter((one) => one !== c))} className="min-w-0 flex-1" />
              <IconButton size="sm" label={t("logs.columnNarrower", { what })} onClick={() => size(i, -24)}>
                <Minus size={12} aria-hidden />
              </IconButton>
              <IconButton size="sm" label={t("logs.columnWider", { what })} onClick={() => size(i, 24)}>
                <Plus size={12} aria-hidden />
              </IconButton>
              <IconButton size="sm" label={t("logs.columnUp", { what })} disabled={i === 0} onClick={() => move(i, -1)}>
                <ArrowUp size={12} aria-hidden />
              </IconButton>
              <IconButton size="sm" label={t("logs.columnDown", { what })} disabled={i === chosen.length - 1} onClick={() => move(i, 1)}>
                <ArrowDown size={12} aria-hidden />
              </IconButton>
            </li>
          );
        })}
        {allColumns
          .filter((c) => !chosen.some((one) => one.id === c.id))
          .map((c) => (
            <li key={c.id}>
              <Check label={t(c.header)} checked={false} onChange={() => onChange([...chosen, { id: c.id }])} />
            </li>
          ))}
      </ul>
      <div className="mt-3 flex flex-col gap-2 border-t border-line pt-3">
        <Switch label={t("logs.density")} checked={comfortable} onChange={onComfortable} />
        <Switch label={t("logs.plainTable")} help={t("logs.plainHelp")} checked={plain} onChange={onPlain} />
        <Button size="sm" className="self-start" onClick={() => onChange(parseColumns(byDefault))}>
          {t("logs.columnsReset")}
        </Button>
      </div>
    </Popover>
  );
}
