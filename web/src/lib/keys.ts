// Keys that do something wherever the focus is, but in a field. Single keys can be changed and switched off (WCAG
// 2.1.4); no key of the browser's own is ever replaced.
import { useEffect, useRef, useSyncExternalStore } from "react";
import type { Key } from "@/messages";

export interface Shortcut {
  /** Under which a changed key is kept. */
  id: string;
  /** One key as KeyboardEvent.key names it, or two with a space between: "g l". */
  keys: string;
  label: Key;
  run: () => void;
}

interface Settings {
  off: boolean;
  changed: Record<string, string>;
}

const stored = "sluice.keys";
const listeners = new Set<() => void>();
let active: Shortcut[] = [];
let settings = read();

function read(): Settings {
  try {
    const value = JSON.parse(localStorage.getItem(stored) ?? "{}") as Partial<Settings>;
    return { off: value.off === true, changed: value.changed ?? {} };
  } catch {
    return { off: false, changed: {} };
  }
}

function tell() {
  listeners.forEach((listener) => listener());
}

function save(next: Settings) {
  settings = next;
  localStorage.setItem(stored, JSON.stringify(next));
  tell();
}

export function switchKeys(on: boolean) {
  save({ ...settings, off: !on });
}

/** Gives a shortcut another key; "" gives it its own again. */
export function changeKey(id: string, keys: string) {
  const changed = { ...settings.changed };
  if (keys) changed[id] = keys;
  else delete changed[id];
  save({ ...settings, changed });
}

export function keysOf(s: Pick<Shortcut, "id" | "keys">): string {
  return settings.changed[s.id] ?? s.keys;
}

function subscribe(listener: () => void) {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

/** Whether keys are on, and which shortcuts the page has now. */
export function useKeys(): { on: boolean; shortcuts: Shortcut[] } {
  const now = useSyncExternalStore(subscribe, () => settings);
  const shortcuts = useSyncExternalStore(subscribe, () => active);
  return { on: !now.off, shortcuts };
}

/** Makes shortcuts work while a component is shown. */
export function useShortcuts(list: Shortcut[]) {
  const latest = useRef(list);
  useEffect(() => {
    latest.current = list;
  });
  const key = list.map((s) => `${s.id} ${s.keys}`).join("\n");
  useEffect(() => {
    const mine = latest.current.map((s) => ({ ...s, run: () => latest.current.find((now) => now.id === s.id)?.run() }));
    active = [...active, ...mine];
    tell();
    return () => {
      active = active.filter((s) => !mine.includes(s));
      tell();
    };
  }, [key]);
}

/** How long the second key of two may take, in milliseconds. */
const patience = 1500;
let before = { key: "", at: 0 };

/** The shortcut that a key completes; the last one that was registered goes first: it is of what lies on top. */
export function matchKey(list: Shortcut[], key: string, at: number, last: { key: string; at: number }): Shortcut | undefined {
  const pair = at - last.at <= patience ? `${last.key} ${key}` : "";
  return list.findLast((s) => pair !== "" && keysOf(s) === pair) ?? list.findLast((s) => keysOf(s) === key);
}

/** Whether a key typed there is text, or belongs to something that floats. */
function taken(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || target.closest("input, textarea, select, [role=dialog], [role=menu], [role=listbox], [contenteditable]") !== null;
}

document.addEventListener("keydown", (e) => {
  if (settings.off || e.ctrlKey || e.metaKey || e.altKey || e.defaultPrevented || e.isComposing || e.key === "Shift" || taken(e.target)) return;
  const found = matchKey(active, e.key, e.timeStamp, before);
  before = { key: e.key, at: e.timeStamp };
  if (!found) return;
  e.preventDefault();
  before = { key: "", at: 0 };
  found.run();
});
