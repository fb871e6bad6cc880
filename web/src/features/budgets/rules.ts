// Spend rules in the API's shape (docs/budgets.md), and how a form sees one.
import { money } from "@/lib/format";
import { t } from "@/messages";

export interface Rule {
  id?: string;
  limitType?: "cost";
  limit: number;
  window: number;
  technique?: "fixed" | "sliding";
  provider?: { mode: "filter"; values: string[] };
  model?: { mode: "filter"; values: string[] };
  metadata?: Record<string, { mode: "filter"; values: string[] } | { mode: "partition" }>;
  enabled?: boolean;
  action?: "block" | "alert";
  hard?: boolean;
  unpriced?: "allow" | "flag" | "block";
}

export interface SpendLimits {
  enabled?: boolean;
  rules?: Rule[];
}

export const windows: [seconds: number, label: "budgets.hour" | "budgets.day" | "budgets.week" | "budgets.month"][] = [
  [3600, "budgets.hour"],
  [86_400, "budgets.day"],
  [604_800, "budgets.week"],
  [2_592_000, "budgets.month"],
];

export function windowText(seconds: number): string {
  const known = windows.find(([s]) => s === seconds);
  return known ? t(known[1]).toLowerCase() : t("budgets.seconds", { n: seconds });
}

/** What a rule does, in a plain sentence. */
export function sentence(rule: Rule): string {
  const split = Object.entries(rule.metadata ?? {}).filter(([, m]) => m.mode === "partition").map(([key]) => key);
  const filters = [
    ...(rule.provider ? [rule.provider.values.join(", ")] : []),
    ...(rule.model ? [rule.model.values.join(", ")] : []),
    ...Object.entries(rule.metadata ?? {}).flatMap(([key, m]) => (m.mode === "filter" ? [`${key}: ${m.values.join(", ")}`] : [])),
  ];
  const who = [split.length ? t("budgets.whoSplit", { keys: split.join(" × ") }) : "", filters.length ? t("budgets.whoFilter", { filters: filters.join("; ") }) : ""].filter(Boolean).join(", ");
  const length = windowText(rule.window);
  return t("budgets.sentence", {
    who: who || t("budgets.whoAll"),
    limit: money(rule.limit),
    window: rule.technique === "sliding" ? t("budgets.windowSliding", { length }) : t("budgets.windowFixed", { length }),
    action: (rule.action === "alert" ? t("budgets.alertOnly") : "") + (rule.hard ? t("budgets.hardOnly") : ""),
  });
}

/** Texts with commas between. */
export function words(text: string): string[] {
  return text.split(",").map((w) => w.trim()).filter(Boolean);
}
