// The bar above every page: which gateway, and what is the same everywhere.
import { Link, useNavigate, useRouterState } from "@tanstack/react-router";
import { CircleHelp, Languages, Moon, Search, Sun, SunMoon } from "lucide-react";
import { lazy, Suspense } from "react";
import { useCall } from "@/api/query";
import { at, usePlace } from "@/lib/place";
import { useShownTheme, useTheme, setTheme, type Theme } from "@/lib/theme";
import { locale, names, setLanguage, t } from "@/messages";
import { Account } from "./Account";
import { show } from "./Commands";

const JobBadge = lazy(() => import("@/components/JobBadge"));

export function TopBar() {
  return (
    <header className="z-20 flex h-11 shrink-0 items-center gap-3 border-b border-line bg-surface px-3 sm:px-4">
      <Link to="/" className="flex items-center gap-2 font-semibold text-text no-underline">
        <Mark />
        <span>{t("shell.product")}</span>
      </Link>
      <GatewaySwitcher />
      <div className="ms-auto flex items-center gap-1">
        <button
          type="button"
          title={t("frame.openPalette")}
          onClick={() => show("palette")}
          className="flex h-8 items-center gap-2 rounded-md px-2 text-muted hover:bg-hover hover:text-text md:me-2 md:w-48 md:border md:border-line"
        >
          <Search size={16} aria-hidden />
          <span className="max-md:sr-only">{t("shell.search")}</span>
          <kbd aria-hidden className="ms-auto text-faint max-md:hidden">{"⌘K"}</kbd>
        </button>
        <button type="button" title={t("shell.help")} aria-label={t("shell.help")} onClick={() => show("help")} className="grid size-8 place-items-center rounded-md text-muted hover:bg-hover hover:text-text max-sm:hidden">
          <CircleHelp size={16} aria-hidden />
        </button>
        <Suspense>
          <JobBadge />
        </Suspense>
        <LanguageButton />
        <ThemeButton />
        <Account />
      </div>
    </header>
  );
}

/** The gateway that pages are about: another one shows the same page of its own. */
function GatewaySwitcher() {
  const place = usePlace();
  const path = useRouterState({ select: (s) => s.location.pathname });
  const navigate = useNavigate();
  const inside = path.includes("/g/");
  const found = useCall("GET /client/v4/accounts/{account}/ai-gateway/gateways", { account: place.account }, { per_page: 100 }, { enabled: inside }).data?.result ?? [];
  if (!inside) return null;
  const names = [...new Set([place.gateway, ...found.map((g) => g.id)])].sort();
  const here = at(place);
  const page = path.startsWith(here) ? path.slice(here.length + 1).split("/")[0] : "";
  return (
    <select
      aria-label={t("shell.gateway")}
      value={place.gateway}
      onChange={(e) => void navigate({ to: at({ ...place, gateway: e.target.value }, page) })}
      className="h-8 max-w-40 min-w-0 rounded-md border border-line bg-surface px-2 text-text hover:bg-hover"
    >
      {names.map((id) => (
        <option key={id}>{id}</option>
      ))}
    </select>
  );
}

function Mark() {
  return (
    <svg width="20" height="20" viewBox="0 0 32 32" aria-hidden className="text-accent">
      <rect width="32" height="32" rx="7" fill="currentColor" />
      <path d="M6 11h20M6 16h9m4 0h7M6 21h20" stroke="var(--surface)" strokeWidth="2.6" strokeLinecap="round" />
    </svg>
  );
}

const nextTheme: Record<Theme, Theme> = { system: "light", light: "dark", dark: "system" };

function ThemeButton() {
  const theme = useTheme();
  useShownTheme();
  const Icon = { system: SunMoon, light: Sun, dark: Moon }[theme];
  const label = `${t("shell.theme")}: ${t(({ system: "shell.themeSystem", light: "shell.themeLight", dark: "shell.themeDark" } as const)[theme])}`;
  return (
    <button type="button" title={label} aria-label={label} onClick={() => setTheme(nextTheme[theme])} className="grid size-8 place-items-center rounded-md text-muted hover:bg-hover hover:text-text">
      <Icon size={16} aria-hidden />
    </button>
  );
}

function LanguageButton() {
  const codes = Object.keys(names);
  const now = locale().slice(0, 2);
  const next = codes[(codes.indexOf(now) + 1) % codes.length]!;
  const label = `${t("shell.language")}: ${names[now]}`;
  return (
    <button type="button" title={label} aria-label={label} onClick={() => void setLanguage(next)} className="grid size-8 place-items-center rounded-md text-muted hover:bg-hover hover:text-text">
      <Languages size={16} aria-hidden />
    </button>
  );
}
