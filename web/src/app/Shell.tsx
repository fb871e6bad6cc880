// The frame around every page: the rail, the top bar, the places for messages.
import { Link, Outlet, useRouterState } from "@tanstack/react-router";
import { BarChart3, Boxes, Gauge, Home, KeyRound, List, MessageSquare, Plug, Settings, Wallet, type LucideIcon } from "lucide-react";
import { Suspense, useEffect, useState } from "react";
import { at, usePlace, type Place } from "@/lib/place";
import { t, useLanguage, type Key } from "@/messages";
import { Commands } from "./Commands";
import { Gate } from "./Gate";
import { Notices } from "./Notices";
import { Toasts } from "./Toasts";
import { TopBar } from "./TopBar";

interface Item {
  page: string;
  label: Key;
  icon: LucideIcon;
  /** It is in the bar at the bottom of a small screen, where there is room for five. */
  small?: boolean;
}

const items: Item[] = [
  { page: "", label: "shell.home", icon: Home, small: true },
  { page: "logs", label: "shell.logs", icon: List, small: true },
  { page: "analytics", label: "shell.analytics", icon: BarChart3, small: true },
  { page: "playground", label: "shell.playground", icon: MessageSquare },
  { page: "providers", label: "shell.providers", icon: Plug },
  { page: "keys", label: "shell.keys", icon: KeyRound },
  { page: "budgets", label: "shell.budgets", icon: Wallet, small: true },
  { page: "settings", label: "shell.settings", icon: Settings, small: true },
];

export function Shell() {
  useLanguage(); // a change of language renders everything anew
  const path = useRouterState({ select: (s) => s.location.pathname });
  const place = usePlace();
  const alone = path === "/signin" || path === "/claim";
  if (alone) {
    return (
      <main id="content" className="min-h-dvh">
        <Outlet />
      </main>
    );
  }
  return (
    <div className="flex h-dvh flex-col">
      <a href="#content" className="sr-only z-50 rounded-md bg-accent px-3 py-2 text-on-accent focus:not-sr-only focus:fixed focus:start-2 focus:top-2">
        {t("shell.skip")}
      </a>
      <Gate />
      <Commands />
      <TopBar />
      <OfflineBar />
      <Notices />
      <div className="flex min-h-0 flex-1">
        <Rail place={place} />
        <main id="content" tabIndex={-1} className="flex min-w-0 flex-1 flex-col overflow-y-auto pb-14 outline-none sm:pb-0">
          <Suspense>
            <Outlet />
          </Suspense>
        </main>
      </div>
      <BottomBar place={place} />
      <Toasts />
    </div>
  );
}

function entry(item: Item, place: Place, path: string) {
  const to = at(place, item.page);
  const current = item.page === "" ? path === to : path === to || path.startsWith(`${to}/`);
  return { to, current };
}

function Rail({ place }: { place: Place }) {
  const path = useRouterState({ select: (s) => s.location.pathname });
  return (
    <nav aria-label={t("shell.navigation")} className="hidden w-14 shrink-0 flex-col gap-0.5 overflow-y-auto border-e border-line bg-surface p-2 sm:flex lg:w-48">
      {items.map((item) => (
        <RailLink key={item.label} label={t(item.label)} icon={item.icon} {...entry(item, place, path)} />
      ))}
      <div className="mt-auto flex flex-col gap-0.5 border-t border-line pt-2">
        <RailLink label={t("shell.gateways")} icon={Boxes} to="/" current={path === "/"} />
        <RailLink label={t("shell.instance")} icon={Gauge} to="/instance" current={path.startsWith("/instance")} />
      </div>
    </nav>
  );
}

function RailLink({ to, current, label, icon: Icon }: { to: string; current: boolean; label: string; icon: LucideIcon }) {
  return (
    <Link
      to={to}
      title={label}
      aria-current={current ? "page" : undefined}
      className={`flex h-8 items-center gap-2.5 rounded-md px-2.5 no-underline max-lg:justify-center ${
        current ? "bg-hover font-medium text-text" : "text-muted hover:bg-hover hover:text-text"
      }`}
    >
      <Icon size={16} aria-hidden className="shrink-0" />
      <span className="max-lg:sr-only">{label}</span>
    </Link>
  );
}

function BottomBar({ place }: { place: Place }) {
  const path = useRouterState({ select: (s) => s.location.pathname });
  return (
    <nav aria-label={t("shell.navigation")} className="fixed inset-x-0 bottom-0 z-30 flex border-t border-line bg-surface sm:hidden">
      {items
        .filter((item) => item.small)
        .map((item) => {
          const { to, current } = entry(item, place, path);
          const Icon = item.icon;
          return (
            <Link
              key={item.label}
              to={to}
              aria-current={current ? "page" : undefined}
              className={`flex min-h-12 min-w-0 flex-1 flex-col items-center justify-center gap-0.5 text-2xs no-underline ${current ? "font-medium text-accent" : "text-muted"}`}
            >
              <Icon size={18} aria-hidden />
              <span className="max-w-full truncate px-0.5">{t(item.label)}</span>
            </Link>
          );
        })}
    </nav>
  );
}

/** Says so while the browser knows that it has no network. */
function OfflineBar() {
  const [offline, set] = useState(!navigator.onLine);
  useEffect(() => {
    const update = () => set(!navigator.onLine);
    window.addEventListener("online", update);
    window.addEventListener("offline", update);
    return () => {
      window.removeEventListener("online", update);
      window.removeEventListener("offline", update);
    };
  }, []);
  if (!offline) return null;
  return (
    <div role="status" className="bg-warn-soft px-4 py-1 text-warn">
      {t("shell.offline")}
    </div>
  );
}
