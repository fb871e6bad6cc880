// What the playground is about to send. Drafts live in this browser only.
import { chatMessages } from "@/lib/conversation/chat";
import { parse, record } from "@/lib/conversation/json";
import type { Message } from "@/lib/conversation/model";

export interface Draft {
  messages: Message[];
  /** JSON of a list of tools, as OpenAI writes them; empty: none. */
  tools: string;
  /** One for each column: provider/model. */
  targets: string[];
  stream: boolean;
  temperature: string;
  maxTokens: string;
  topP: string;
  /** JSON of further parameters. */
  more: string;
  cacheTtl: string;
  skipCache: boolean;
  attempts: string;
  /** JSON of metadata, beside the source. */
  metadata: string;
}

export const emptyDraft: Draft = {
  messages: [{ role: "user", parts: [{ kind: "text", text: "" }] }],
  tools: "",
  targets: ["echo/echo"],
  stream: true,
  temperature: "",
  maxTokens: "",
  topP: "",
  more: "",
  cacheTtl: "",
  skipCache: false,
  attempts: "",
  metadata: "",
};

export const mostTargets = 4;

function key(account: string, gateway: string): string {
  return `sluice.playground.${account}.${gateway}`;
}

export function loadDraft(account: string, gateway: string): Draft {
  const stored = record(parse(localStorage.getItem(key(account, gateway)) ?? ""));
  if (!stored || !Array.isArray(stored.messages) || !Array.isArray(stored.targets)) return emptyDraft;
  return { ...emptyDraft, ...(stored as Partial<Draft>) };
}

export function saveDraft(account: string, gateway: string, draft: Draft): void {
  try {
    localStorage.setItem(key(account, gateway), JSON.stringify(draft));
  } catch {
    // Pictures can be larger than a browser keeps: the draft then lasts as long as the page.
  }
}

/** Which fields hold what cannot be sent. */
export function faultsOf(d: Draft): Partial<Record<keyof Draft, true>> {
  const faults: Partial<Record<keyof Draft, true>> = {};
  if (d.tools.trim() && !Array.isArray(parse(d.tools))) faults.tools = true;
  if (d.more.trim() && !record(parse(d.more))) faults.more = true;
  if (d.metadata.trim() && !record(parse(d.metadata))) faults.metadata = true;
  for (const name of ["temperature", "maxTokens", "topP", "cacheTtl", "attempts"] as const) if (d[name].trim() && Number.isNaN(Number(d[name]))) faults[name] = true;
  if (!chatMessages(d.messages).length) faults.messages = true;
  return faults;
}

/** The body of a chat completion for one target. */
export function bodyOf(d: Draft, target: string): Record<string, unknown> {
  const number = (name: string, value: string) => (value.trim() ? { [name]: Number(value) } : {});
  return {
    model: target,
    messages: chatMessages(d.messages),
    ...(d.stream ? { stream: true, stream_options: { include_usage: true } } : {}),
    ...number("temperature", d.temperature),
    ...number("max_tokens", d.maxTokens),
    ...number("top_p", d.topP),
    ...(d.tools.trim() ? { tools: parse(d.tools) } : {}),
    ...record(parse(d.more || "{}")),
  };
}

/** What the calls of this page carry, so that they can be told from an application's. */
export const source = "playground";

export function headersOf(d: Draft): Record<string, string> {
  const headers: Record<string, string> = { "cf-aig-metadata": JSON.stringify({ ...record(parse(d.metadata || "{}")), source }) };
  if (d.cacheTtl.trim()) headers["cf-aig-cache-ttl"] = d.cacheTtl.trim();
  if (d.skipCache) headers["cf-aig-skip-cache"] = "true";
  if (d.attempts.trim()) headers["cf-aig-max-attempts"] = d.attempts.trim();
  return headers;
}
