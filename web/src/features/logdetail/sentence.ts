// What became of a request, in a sentence.
import type { Entry } from "@/api/types.gen";
import { t } from "@/messages";

export type Tone = "ok" | "warn" | "bad" | "cache" | "block" | "plain";

export interface Outcome {
  tone: Tone;
  sentence: string;
}

type Attempt = NonNullable<Entry["attempts"]>[number];

function target(a: Pick<Attempt, "provider" | "model">): string {
  return [a.provider, a.model].filter(Boolean).join("/");
}

/** Why an attempt did not serve. */
export function causeOf(a: Attempt): string {
  if (a.status !== null) return t("detail.causeStatus", { status: a.status });
  return a.cause ? t("detail.causeOther", { cause: a.cause }) : "";
}

/** How an exchange that brought no whole answer ended. */
const endings: Record<string, () => string> = {
  refused: () => t("detail.refused"),
  unreachable: () => t("detail.unreachable"),
  timeout: () => t("detail.timeout"),
  cut: () => t("detail.cut"),
  stalled: () => t("detail.stalled"),
  error_event: () => t("detail.errorEvent"),
  client_gone: () => t("detail.clientGone"),
  client_slow: () => t("detail.clientSlow"),
  shutdown: () => t("detail.shutdown"),
  crashed: () => t("detail.crashed"),
  panic: () => t("detail.panic"),
};

export function outcomeOf(e: Entry): Outcome {
  const status = e.status_code === null || e.status_code === undefined ? "" : `${e.status_code} `;
  const attempts = e.attempts ?? [];
  const who = target({ provider: e.provider ?? "", model: e.model ?? "" });
  if (e.ending === "in_flight") return { tone: "plain", sentence: t("detail.inFlight", { who }) };
  if (e.cached) return { tone: "cache", sentence: status + t("detail.fromCache") };
  const ending = endings[e.ending ?? ""];
  if (ending) return { tone: e.ending === "refused" ? "block" : e.ending?.startsWith("client") ? "warn" : "bad", sentence: status + ending() };
  if (!e.success) return { tone: "bad", sentence: status + before(attempts) + t("detail.providerError", { who }) };
  return { tone: attempts.length > 1 ? "warn" : "ok", sentence: status + before(attempts) + t("detail.answered", { who: target(attempts.at(-1) ?? { provider: e.provider ?? "", model: e.model ?? "" }) || who }) };
}

/** What was tried before the last attempt. */
function before(attempts: Attempt[]): string {
  const failed = attempts.slice(0, -1);
  const last = attempts.at(-1);
  if (!failed.length || !last) return "";
  const others = failed.filter((a) => target(a) !== target(last));
  if (!others.length) return `${t("detail.afterRetries", { n: failed.length, cause: causeOf(failed.at(-1)!) })}: `;
  const first = others.at(-1)!;
  return `${t("detail.afterFallback", { who: target(first), cause: causeOf(first) })}, `;
}
