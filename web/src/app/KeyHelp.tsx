// All keys of the page that is shown, with a way to change them and to switch them off.
import { useState } from "react";
import { changeKey, keysOf, switchKeys, useKeys, type Shortcut } from "@/lib/keys";
import { t } from "@/messages";
import { Button } from "@/ui/Button";
import { Switch } from "@/ui/Field";
import { Dialog } from "@/ui/Overlay";

export default function KeyHelp({ open, onClose }: { open: boolean; onClose: () => void }) {
  const { on, shortcuts } = useKeys();
  return (
    <Dialog open={open} onClose={onClose} title={t("shell.help")} description={t("frame.keysText")}>
      <Switch label={t("frame.keysOn")} checked={on} onChange={switchKeys} />
      <dl className="mt-4 flex flex-col">
        <div className="flex min-h-8 items-center gap-3 border-b border-line">
          <dt className="min-w-0 flex-1">{t("frame.palette")}</dt>
          <dd>
            <kbd>{"⌘K · Ctrl K"}</kbd>
          </dd>
        </div>
        {shortcuts.map((s) => (
          <Line key={s.id} shortcut={s} />
        ))}
      </dl>
    </Dialog>
  );
}

function Line({ shortcut }: { shortcut: Shortcut }) {
  const [asking, setAsking] = useState(false);
  const keys = keysOf(shortcut);
  return (
    <div className="flex min-h-8 items-center gap-3 border-b border-line last:border-0">
      <dt className="min-w-0 flex-1">{t(shortcut.label)}</dt>
      <dd className="flex items-center gap-2">
        {asking ? (
          <input
            aria-label={t("frame.pressKey", { what: t(shortcut.label) })}
            placeholder={t("frame.press")}
            readOnly
            // oxlint-disable-next-line jsx-a11y/no-autofocus -- the button that had the focus has given its place to it
            autoFocus
            className="h-6 w-24 rounded-sm border border-control bg-surface px-1 text-xs"
            onBlur={() => setAsking(false)}
            onKeyDown={(e) => {
              if (e.key === "Tab" || e.key === "Shift") return;
              e.preventDefault();
              e.stopPropagation();
              if (e.key !== "Escape") changeKey(shortcut.id, e.key.length === 1 ? e.key : "");
              setAsking(false);
            }}
          />
        ) : (
          <>
            <kbd className="rounded-sm bg-sunken px-1.5 py-0.5">{keys}</kbd>
            <Button size="sm" look="quiet" aria-label={t("frame.changeOf", { what: t(shortcut.label) })} onClick={() => (keys === shortcut.keys ? setAsking(true) : changeKey(shortcut.id, ""))}>
              {keys === shortcut.keys ? t("frame.change") : t("frame.reset")}
            </Button>
          </>
        )}
      </dd>
    </div>
  );
}
