// Tabs with the keys that the ARIA practices give them: arrows, Home, End.
import { useId, useRef, type KeyboardEvent, type ReactNode } from "react";
import { classes } from "./classes";

interface Tab {
  value: string;
  label: ReactNode;
}

interface Props {
  label: string;
  tabs: Tab[];
  value: string;
  onChange: (value: string) => void;
  /** The panel of the chosen tab. */
  children: ReactNode;
  className?: string;
}

export function Tabs({ label, tabs, value, onChange, children, className }: Props) {
  const id = useId();
  const list = useRef<HTMLDivElement>(null);
  const move = (e: KeyboardEvent) => {
    const now = tabs.findIndex((tab) => tab.value === value);
    const forward = getComputedStyle(e.currentTarget).direction === "rtl" ? "ArrowLeft" : "ArrowRight";
    const back = forward === "ArrowRight" ? "ArrowLeft" : "ArrowRight";
    const to = e.key === forward ? now + 1 : e.key === back ? now - 1 : e.key === "Home" ? 0 : e.key === "End" ? tabs.length - 1 : undefined;
    if (to === undefined) return;
    e.preventDefault();
    const next = (to + tabs.length) % tabs.length;
    onChange(tabs[next]!.value);
    list.current?.querySelectorAll<HTMLElement>("[role=tab]")[next]?.focus();
  };
  return (
    <div className={className}>
      <div ref={list} role="tablist" tabIndex={-1} aria-label={label} onKeyDown={move} className="flex gap-1 overflow-x-auto border-b border-line">
        {tabs.map((tab) => {
          const chosen = tab.value === value;
          return (
            <button
              key={tab.value}
              type="button"
              role="tab"
              id={`${id}-${tab.value}`}
              aria-selected={chosen}
              aria-controls={chosen ? `${id}-panel` : undefined}
              tabIndex={chosen ? 0 : -1}
              onClick={() => onChange(tab.value)}
              className={classes("-mb-px h-9 shrink-0 border-b-2 px-2.5 -outline-offset-2", chosen ? "border-accent font-medium text-text" : "border-transparent text-muted hover:text-text")}
            >
              {tab.label}
            </button>
          );
        })}
      </div>
      <div role="tabpanel" id={`${id}-panel`} aria-labelledby={`${id}-${value}`} tabIndex={0} className="pt-3 outline-offset-4">
        {children}
      </div>
    </div>
  );
}
