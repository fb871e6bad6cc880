// The keys that every page has, and what they open. The palette and the help come when they are first wanted.
import { useNavigate } from "@tanstack/react-router";
import { lazy, Suspense, useEffect, useState, useSyncExternalStore } from "react";
import { usePlace } from "@/lib/place";
import { useShortcuts, type Shortcut } from "@/lib/keys";
import { destinations } from "./places";

const Palette = lazy(() => import("./Palette"));
const KeyHelp = lazy(() => import("./KeyHelp"));

export type Shown = "palette" | "help" | undefined;

let shown: Shown;
const listeners = new Set<() => void>();

/** Opens the palette or the help, or closes them. */
export function show(what: Shown) {
  shown = what;
  listeners.forEach((tell) => tell());
}

function useShown(): Shown {
  return useSyncExternalStore(
    (tell) => (listeners.add(tell), () => void listeners.delete(tell)),
    () => shown,
  );
}

export function Commands() {
  const place = usePlace();
  const navigate = useNavigate();
  const now = useShown();
  const [wanted, setWanted] = useState<Set<Shown>>(new Set());
  if (now && !wanted.has(now)) setWanted(new Set([...wanted, now]));
  const list: Shortcut[] = [
    ...destinations(place).map((d) => ({ id: d.id, keys: d.keys, label: d.label, run: () => void navigate({ to: d.to }) })),
    { id: "help", keys: "?", label: "shell.help", run: () => show("help") },
    { id: "range", keys: "t", label: "range.label", run: () => document.querySelector<HTMLElement>("[data-keys=t]")?.click() },
  ];
  useShortcuts(list);
  useEffect(() => {
    // With a modifier, so it works in fields too, and cannot be switched off: it takes no typed character.
    const open = (e: KeyboardEvent) => {
      if ((e.metaKey || e.ctrlKey) && !e.shiftKey && !e.altKey && e.key.toLowerCase() === "k") {
        e.preventDefault();
        show(shown === "palette" ? undefined : "palette");
      }
    };
    document.addEventListener("keydown", open);
    return () => document.removeEventListener("keydown", open);
  }, []);
  return (
    <Suspense>
      {wanted.has("palette") && <Palette open={now === "palette"} onClose={() => show(undefined)} />}
      {wanted.has("help") && <KeyHelp open={now === "help"} onClose={() => show(undefined)} />}
    </Suspense>
  );
}
