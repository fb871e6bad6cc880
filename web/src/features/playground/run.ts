// One call through the gateway, as an application would make it, read while it comes.
import { ApiError, call } from "@/api/client";
import type { Entry } from "@/api/types.gen";
import { prefix } from "@/lib/base";
import { readReply } from "@/lib/conversation";
import type { Message } from "@/lib/conversation/model";
import type { Place } from "@/lib/place";

export interface Result {
  state: "running" | "done" | "cancelled" | "failed";
  status?: number;
  answered: Message[];
  finish?: string;
  /** The answer as it came. */
  raw: string;
  /** Milliseconds, as this browser measured them. */
  firstToken?: number;
  duration?: number;
  logId?: string;
  cache?: string;
  /** What the log says of it: cost and tokens. undefined: not there yet. */
  entry?: Entry;
  error?: string;
}

export interface Request {
  /** After the gateway: compat/chat/completions. */
  path: string;
  body: string;
  headers: Record<string, string>;
}

let token: { place: string; value: string; until: number } | undefined;

/** A token for calls, kept in memory and renewed before it ends. Who may get none calls without. */
async function runToken(place: Place): Promise<string | undefined> {
  const name = `${place.account}/${place.gateway}`;
  if (token?.place === name && token.until > Date.now() + 60_000) return token.value;
  try {
    const made = await call("POST /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/run-token", { ...place });
    token = { place: name, value: made.value, until: new Date(made.expires_at).getTime() };
    return made.value;
  } catch (error) {
    if (error instanceof ApiError && error.status === 403) return undefined;
    throw error;
  }
}

/** The screen is told so often at most. */
const every = 80;

export async function run(place: Place, request: Request, signal: AbortSignal, show: (result: Result) => void): Promise<Result> {
  let result: Result = { state: "running", answered: [], raw: "" };
  const tell = (change: Partial<Result>) => show((result = { ...result, ...change }));
  let begun = performance.now();
  try {
    const bearer = await runToken(place);
    begun = performance.now(); // what the token took is no part of the call
    const answer = await fetch(`${prefix}/v1/${encodeURIComponent(place.account)}/${encodeURIComponent(place.gateway)}/${request.path}`, {
      method: "POST",
      headers: { "content-type": "application/json", ...request.headers, ...(bearer ? { "cf-aig-authorization": `Bearer ${bearer}` } : {}) },
      body: request.body,
      signal,
      credentials: "omit", // the session is the dashboard's, and none of a provider's business
    });
    tell({ status: answer.status, logId: answer.headers.get("cf-aig-log-id") ?? undefined, cache: answer.headers.get("cf-aig-cache-status") ?? undefined });
    await read(answer, begun, tell);
    tell({ state: answer.ok ? "done" : "failed", duration: performance.now() - begun });
  } catch (error) {
    const duration = performance.now() - begun;
    if (signal.aborted) tell({ state: "cancelled", duration });
    else tell({ state: "failed", duration, error: error instanceof Error ? error.message : String(error) });
  }
  if (result.logId) tell({ entry: await entryOf(place, result.logId) });
  return result;
}

async function read(answer: Response, begun: number, tell: (change: Partial<Result>) => void) {
  const type = answer.headers.get("content-type") ?? "";
  const reader = answer.body?.getReader();
  if (!reader) return;
  let bytes = new Uint8Array();
  let told = 0;
  let firstToken: number | undefined;
  const show = () => {
    const reply = readReply({ bytes, type });
    if (firstToken === undefined && reply?.answered.length) firstToken = performance.now() - begun;
    told = performance.now();
    tell({ answered: reply?.answered ?? [], finish: reply?.finish, raw: new TextDecoder().decode(bytes), firstToken });
  };
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    const grown = new Uint8Array(bytes.length + value.length);
    grown.set(bytes);
    grown.set(value, bytes.length);
    bytes = grown;
    if (firstToken === undefined || performance.now() - told > every) show();
  }
  show();
}

/** The log's entry of a call, which is there some moments after the answer's end. */
async function entryOf(place: Place, id: string): Promise<Entry | undefined> {
  for (let wait = 50; wait < 4_000; wait *= 2) {
    await new Promise((next) => setTimeout(next, wait));
    try {
      const entry = await call("GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/logs/{id}", { ...place, id }, { query: { basis: "requests" } });
      if (entry.ending !== "in_flight") return entry;
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 404) return undefined;
    }
  }
  return undefined;
}
