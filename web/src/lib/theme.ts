// The colour scheme: the system's, or what somebody chose in this browser. index.html applies it before the first paint.
import { useSyncExternalStore } from "react";

export type Theme = "system" | "light" | "dark";

const key = "sluice.theme";
const dark = matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();

function stored(): Theme {
  const value = localStorage.getItem(key);
  return value === "light" || value === "dark" ? value : "system";
}

function apply() {
  const theme = stored();
  document.documentElement.dataset.theme = theme === "system" ? (dark.matches ? "dark" : "light") : theme;
  listeners.forEach((tell) => tell());
}

dark.addEventListener("change", apply);
window.addEventListener("storage", (e) => e.key === key && apply());

export function setTheme(theme: Theme) {
  if (theme === "system") localStorage.removeItem(key);
  else localStorage.setItem(key, theme);
  apply();
}

function subscribe(tell: () => void) {
  listeners.add(tell);
  return () => void listeners.delete(tell);
}

/** What was chosen. */
export function useTheme(): Theme {
  return useSyncExternalStore(subscribe, stored);
}

/** What is shown: charts, which draw on a canvas, need to know. */
export function useShownTheme(): "light" | "dark" {
  return useSyncExternalStore(subscribe, () => (document.documentElement.dataset.theme === "dark" ? "dark" : "light"));
}
