// The details beside the list: as wide as one drags it, over the list where there is no room beside it.
import { useState, type KeyboardEvent, type PointerEvent, type ReactNode } from "react";
import { t } from "@/messages";

const stored = "sluice.logs.panel";
const least = 25;
const most = 75;

function clamp(share: number): number {
  return Math.min(most, Math.max(least, share));
}

export function SidePanel({ children }: { children: ReactNode }) {
  const [share, setShare] = useState(() => clamp(Number(localStorage.getItem(stored)) || 45));
  const change = (next: number) => {
    setShare(clamp(next));
    localStorage.setItem(stored, String(clamp(next)));
  };
  const drag = (e: PointerEvent<HTMLDivElement>) => {
    e.preventDefault();
    const handle = e.currentTarget;
    const { left, width, right } = handle.closest("[data-split]")!.getBoundingClientRect();
    const rtl = getComputedStyle(handle).direction === "rtl";
    handle.setPointerCapture(e.pointerId);
    const move = (m: globalThis.PointerEvent) => change(((rtl ? m.clientX - left : right - m.clientX) / width) * 100);
    const end = () => {
      handle.removeEventListener("pointermove", move);
      handle.removeEventListener("pointerup", end);
    };
    handle.addEventListener("pointermove", move);
    handle.addEventListener("pointerup", end);
  };
  const onKeyDown = (e: KeyboardEvent) => {
    const by = { ArrowLeft: 2, ArrowRight: -2, Home: most - share, End: least - share }[e.key];
    if (by === undefined) return;
    e.preventDefault();
    e.stopPropagation();
    change(share + by);
  };
  return (
    <>
      <div
        role="separator"
        aria-orientation="vertical"
        aria-label={t("logs.panelWidth")}
        aria-valuenow={Math.round(share)}
        aria-valuemin={least}
        aria-valuemax={most}
        tabIndex={0}
        onPointerDown={drag}
        onKeyDown={onKeyDown}
        className="mx-1 w-1 shrink-0 cursor-col-resize rounded-full bg-line hover:bg-accent max-lg:hidden"
      />
      <aside
        aria-label={t("logs.details")}
        className="min-h-0 min-w-0 overflow-y-auto rounded-lg border border-line bg-surface max-lg:absolute max-lg:inset-0 max-lg:z-20 lg:w-[var(--panel)] lg:shrink-0"
        style={{ "--panel": `${share}%` } as React.CSSProperties}
      >
        {children}
      </aside>
    </>
  );
}
