// Keys of this page, outside of fields and of what floats above it.
import { useEffect, useRef } from "react";

export function useKeys(keys: Record<string, () => unknown>) {
  const latest = useRef(keys);
  useEffect(() => {
    latest.current = keys;
  });
  useEffect(() => {
    const onKey = (e: KeyboardEvent) => {
      const target = e.target as HTMLElement;
      if (e.defaultPrevented || e.metaKey || e.ctrlKey || e.altKey || target.closest("input,textarea,select,[contenteditable],[role=dialog],[role=menu]")) return;
      const run = latest.current[e.key];
      if (!run) return;
      e.preventDefault();
      run();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
}
