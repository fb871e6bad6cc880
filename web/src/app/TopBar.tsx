// The bar above every page: which gateway, and what is the same everywhere.
import { Link } from "@tanstack/react-router";
import { Languages, Moon, Sun, SunMoon } from "lucide-react";
import { useShownTheme, useTheme, setTheme, type Theme } from "@/lib/theme";
import { locale, names, setLanguage, t } from "@/messages";

export function TopBar() {
  return (
    <header className="z-20 flex h-11 shrink-0 items-center gap-3 border-b border-line bg-surface px-3 sm:px-4">
      <Link to="/" className="flex items-center gap-2 font-semibold text-text no-underline">
        <Mark />
        <span>{t("shell.product")}</span>
      </Link>
      <div className="ms-auto flex items-center gap-1">
        <LanguageButton />
        <ThemeButton />
      </div>
    </header>
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
