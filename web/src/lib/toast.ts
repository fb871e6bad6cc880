// Short messages that go by themselves. None holds the only copy of an error.
import { useSyncExternalStore } from "react";

export interface Toast {
  id: number;
  text: string;
  tone: "plain" | "ok" | "bad";
  action?: { label: string; run: () => void };
}

let toasts: Toast[] = [];
let last = 0;
const listeners = new Set<() => void>();

function change(next: Toast[]) {
  toasts = next;
  listeners.forEach((tell) => tell());
}

/** Shows a message for a while: with an action (undo) for 10 s. */
export function toast(text: string, options: Partial<Omit<Toast, "id" | "text">> = {}): void {
  const one: Toast = { id: ++last, text, tone: "plain", ...options };
  change([...toasts.slice(-3), one]);
  setTimeout(() => dismiss(one.id), one.action ? 10_000 : 4_000);
}

export function dismiss(id: number): void {
  change(toasts.filter((one) => one.id !== id));
}

export function useToasts(): Toast[] {
  return useSyncExternalStore(
    (tell) => (listeners.add(tell), () => void listeners.delete(tell)),
    () => toasts,
  );
}
