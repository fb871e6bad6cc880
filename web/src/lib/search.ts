// The URL is the state. All search params are plain strings; each page names those it reads, with their defaults,
// which are left out. Unknown ones are kept: they are another page's, or a newer version's.
import { useNavigate, useRouterState } from "@tanstack/react-router";
import { useCallback } from "react";

export type Search = Record<string, string>;

// Their order in an address is always this one, so that equal screens have equal addresses.
const order = ["range", "tz", "q", "group", "group2", "cmp", "basis", "cols", "sort", "live", "log", "tab"];

export function parseSearch(text: string): Search {
  return Object.fromEntries(new URLSearchParams(text));
}

export function printSearch(search: Record<string, unknown>): string {
  const names = Object.keys(search).filter((n) => search[n] !== undefined && search[n] !== null && search[n] !== "");
  const place = (n: string) => (order.includes(n) ? order.indexOf(n) : order.length);
  names.sort((a, b) => place(a) - place(b) || (a < b ? -1 : 1));
  // Colons, commas and dots are legal in a query, and read better than their codes.
  const pairs = names.map((n) => `${encodeURIComponent(n)}=${encodeURIComponent(String(search[n])).replace(/%3A/gi, ":").replace(/%2C/gi, ",").replace(/%20/g, "+")}`);
  return pairs.length ? `?${pairs.join("&")}` : "";
}

/** The search params as they stand. */
export function useSearchParams(): Search {
  return useRouterState({ select: (s) => s.location.search as Search, structuralSharing: true });
}

/** One param, and how to set it: choosing pushes history, typing replaces (replace). undefined takes it away. */
export function useParam(name: string, byDefault = ""): [string, (value: string | undefined, replace?: boolean) => void] {
  const value = useSearchParams()[name] ?? byDefault;
  const set = useSetParams();
  return [value, useCallback((v, replace) => set({ [name]: v === byDefault ? undefined : v }, replace), [name, byDefault, set])];
}

/** Sets several params at once. */
export function useSetParams(): (change: Record<string, string | undefined>, replace?: boolean) => void {
  const navigate = useNavigate();
  return useCallback(
    (change, replace = false) => {
      void navigate({
        to: ".",
        search: ((before: Search) => {
          const next: Record<string, string | undefined> = { ...before, ...change };
          for (const n of Object.keys(next)) if (next[n] === undefined) delete next[n];
          return next;
        }) as never,
        replace,
        resetScroll: false,
      });
    },
    [navigate],
  );
}
