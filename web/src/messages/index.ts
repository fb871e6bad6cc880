// What people read. Each language is a module of its own, loaded when it is wanted; English says which keys there are.
import { useSyncExternalStore } from "react";
import type en from "./en";

/** A text, or its forms by plural category of the argument n (Intl.PluralRules). */
export type Message = string | { one?: string; few?: string; many?: string; other: string };

type Tree = typeof en;
type Section = keyof Tree;
export type Key = { [S in Section]: `${S}.${keyof Tree[S] & string}` }[Section];
/** A whole language: the same keys as English. */
export type Language = { [S in Section]: Record<keyof Tree[S], Message> };
export type Args = Record<string, string | number>;

const languages: Record<string, () => Promise<{ default: Language }>> = {
  en: () => import("./en"),
  zh: () => import("./zh"),
};

/** The languages that can be chosen, by their own names. */
export const names: Record<string, string> = { en: "English", zh: "简体中文" };

const stored = "sluice.language";
let current: { code: string; tree: Language; plural: Intl.PluralRules };
const listeners = new Set<() => void>();

function wanted(): string {
  const chosen = localStorage.getItem(stored);
  if (chosen && (chosen in languages || chosen === "pseudo")) return chosen;
  return navigator.languages.map((l) => l.slice(0, 2)).find((l) => l in languages) ?? "en";
}

/** Loads the language of this browser; nothing may be shown before. */
export async function loadLanguage(code = wanted()): Promise<void> {
  const tree = (await (languages[code] ?? languages.en!)()).default;
  current = { code, tree, plural: new Intl.PluralRules(code === "pseudo" ? "en" : code) };
  document.documentElement.lang = code === "pseudo" ? "en" : code === "zh" ? "zh-Hans" : code;
  listeners.forEach((tell) => tell());
}

export async function setLanguage(code: string): Promise<void> {
  localStorage.setItem(stored, code);
  await loadLanguage(code);
}

/** Code of the language in use, as Intl takes it. */
export function locale(): string {
  return current.code === "pseudo" ? "en" : current.code === "zh" ? "zh-Hans" : current.code;
}

/** The text of a key; {name} in it is replaced by the argument of that name. */
export function t(key: Key, args?: Args): string {
  const dot = key.indexOf(".");
  const section = current.tree[key.slice(0, dot) as Section] as Record<string, Message> | undefined;
  const message = section?.[key.slice(dot + 1)];
  if (message === undefined) return key;
  let text =
    typeof message === "string" ? message : (message[current.plural.select(Number(args?.n ?? 0)) as "one"] ?? message.other);
  if (args) text = text.replace(/\{(\w+)\}/g, (whole, name: string) => (name in args ? String(args[name]) : whole));
  return current.code === "pseudo" ? pseudo(text) : text;
}

/** Longer and accented, so that a test sees texts that are not in the messages, or have no room. */
function pseudo(text: string): string {
  const accented = text.replace(/[aeiou]/g, (c) => ({ a: "á", e: "é", i: "í", o: "ó", u: "ú" })[c]!);
  return `[${accented}${"·".repeat(Math.ceil(text.length / 3))}]`;
}

/** Makes a component follow the language. */
export function useLanguage(): string {
  return useSyncExternalStore(
    (tell) => (listeners.add(tell), () => void listeners.delete(tell)),
    () => current.code,
  );
}
