// Go somewhere, find a log entry by its id, or run a command: by typing.
import { useNavigate } from "@tanstack/react-router";
import { useId, useRef, useState, type KeyboardEvent, type RefObject } from "react";
import { useCall } from "@/api/query";
import { copyText } from "@/components/Copy";
import { at, usePlace } from "@/lib/place";
import { setTheme } from "@/lib/theme";
import { names, setLanguage, t } from "@/messages";
import { Input } from "@/ui/Field";
import { Dialog } from "@/ui/Overlay";
import { show } from "./Commands";
import { destinations } from "./places";
import { useSignOut } from "./signout";

interface Item {
  key: string;
  group: string;
  label: string;
  keys?: string;
  run: () => void;
}

const logId = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;

/** Whether each word of what was typed is somewhere in a text. */
function fits(text: string, typed: string): boolean {
  const low = text.toLowerCase();
  return typed.toLowerCase().split(/\s+/).every((word) => low.includes(word));
}

export default function Palette({ open, onClose }: { open: boolean; onClose: () => void }) {
  const field = useRef<HTMLInputElement>(null);
  return (
    <Dialog open={open} onClose={onClose} title={t("frame.palette")} wide first={field}>
      {open && <Body field={field} onClose={onClose} />}
    </Dialog>
  );
}

function Body({ field, onClose }: { field: RefObject<HTMLInputElement | null>; onClose: () => void }) {
  const id = useId();
  const [typed, setTyped] = useState("");
  const [place, setPlace] = useState(0);
  const items = useItems(typed.trim(), onClose);
  const chosen = Math.min(place, items.length - 1);
  const keys = (e: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[e.key];
    if (step !== undefined && items.length > 0) {
      e.preventDefault();
      const next = (chosen + step + items.length) % items.length;
      setPlace(next);
      document.getElementById(`${id}-${next}`)?.scrollIntoView({ block: "nearest" });
    }
    if (e.key === "Enter") items[chosen]?.run();
  };
  return (
    <div className="flex flex-col gap-2">
      <Input
        ref={field}
        role="combobox"
        aria-label={t("frame.palette")}
        aria-expanded
        aria-controls={`${id}-list`}
        aria-activedescendant={chosen >= 0 ? `${id}-${chosen}` : undefined}
        autoComplete="off"
        spellCheck={false}
        placeholder={t("frame.paletteHint")}
        value={typed}
        onChange={(e) => {
          setTyped(e.target.value);
          setPlace(0);
        }}
        onKeyDown={keys}
      />
      <div id={`${id}-list`} role="listbox" aria-label={t("frame.palette")} className="-mx-2 h-80 overflow-y-auto" tabIndex={-1}>
        {items.map((item, i) => (
          <div
            key={item.key}
            id={`${id}-${i}`}
            role="option"
            tabIndex={-1}
            aria-selected={i === chosen}
            onClick={item.run}
            onKeyDown={(e) => e.key === "Enter" && item.run()}
            className={`flex h-8 cursor-default items-center gap-3 rounded-md px-2 pointer-coarse:h-11 ${i === chosen ? "bg-hover" : ""}`}
          >
            <span className="w-24 shrink-0 truncate text-xs text-muted">{item.group}</span>
            <span className="min-w-0 flex-1 truncate">{item.label}</span>
            {item.keys && <kbd className="text-muted">{item.keys}</kbd>}
          </div>
        ))}
      </div>
      <p role="status" className={items.length ? "sr-only" : "text-muted"}>
        {items.length ? t("frame.found", { n: items.length }) : t("frame.nothing")}
      </p>
    </div>
  );
}

function useItems(typed: string, onClose: () => void): Item[] {
  const here = usePlace();
  const navigate = useNavigate();
  const signOut = useSignOut();
  const gateways = useCall("GET /client/v4/accounts/{account}/ai-gateway/gateways", { account: here.account }, { per_page: 100 }).data?.result ?? [];
  const item = (key: string, group: string, label: string, run: () => void, keys?: string): Item => ({
    key, group, label, keys,
    run: () => {
      onClose();
      run();
    },
  });
  const go = t("frame.go");
  const command = t("frame.command");
  const all = [
    ...destinations(here).map((d) => item(d.id, go, t(d.label), () => void navigate({ to: d.to }), d.keys)),
    item("new", go, t("gateways.new"), () => void navigate({ to: "/gateways/new" })),
    ...gateways.map((g) => item(`gateway ${g.id}`, t("shell.gateway"), g.id, () => void navigate({ to: at({ ...here, gateway: g.id }) }))),
    item("copy", command, t("frame.copyLink"), () => void copyText(location.href, t("copy.url"))),
    ...(["light", "dark", "system"] as const).map((theme) =>
      item(theme, command, `${t("shell.theme")}: ${t(({ light: "shell.themeLight", dark: "shell.themeDark", system: "shell.themeSystem" } as const)[theme])}`, () => setTheme(theme)),
    ),
    ...Object.entries(names).map(([code, name]) => item(code, command, `${t("shell.language")}: ${name}`, () => void setLanguage(code))),
    item("help", command, t("shell.help"), () => show("help"), "?"),
    item("out", command, t("shell.signOut"), () => void signOut()),
  ];
  const found = typed ? all.filter((i) => fits(`${i.group} ${i.label}`, typed)) : all;
  if (logId.test(typed)) found.unshift(item("log", t("shell.logs"), typed, () => void navigate({ to: `${at(here, "logs")}/${typed.toLowerCase()}` })));
  else if (typed) found.push(item("filter", t("shell.logs"), t("frame.filter", { q: typed }), () => void navigate({ to: at(here, "logs"), search: { q: typed } })));
  return found;
}
