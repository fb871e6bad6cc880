// Calls of the management API, typed by its OpenAPI document. Everything a page shows or does goes through here.
import { prefix } from "@/lib/base";
import type { Calls } from "./types.gen";

export type Call = keyof Calls;

/** Names in braces of a path: "{account}" gives account. */
type Names<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}` ? Name | Names<Rest> : never;

export type Params<C extends Call> = Record<Names<C>, string>;

interface Options<C extends Call> {
  query?: Calls[C]["query"];
  body?: Calls[C]["body"];
  signal?: AbortSignal;
  /** The version that an update is meant for: another one is refused (409). */
  ifMatch?: string;
}

/** What the API answered instead of a result, or that nothing answered (status 0). */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: number,
    message: string,
    readonly field?: string,
    readonly hint?: string,
    readonly requestId?: string,
  ) {
    super(message);
    this.name = "ApiError";
  }

  /** Nobody has signed in, or the session ended. */
  get signedOut(): boolean {
    return this.status === 401;
  }
}

interface Envelope {
  success: boolean;
  result: unknown;
  errors?: { code: number; message: string; field?: string; hint?: string }[] | null;
}

type ResultOf<A> = A extends { result: infer R } ? R : A;

/** Address of a call, for fetch and for what people copy. */
export function address<C extends Call>(call: C, params: Params<C>, query?: Calls[C]["query"]): string {
  const path = call.slice(call.indexOf(" ") + 1).replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent((params as Record<string, string>)[name] ?? ""));
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value === undefined || value === null || value === "") continue;
    for (const one of Array.isArray(value) ? value : [value]) search.append(name, String(one));
  }
  const text = search.toString();
  return prefix + path + (text ? `?${text}` : "");
}

/** Makes a call and returns the whole answer: pages have result_info beside result. */
export async function callWhole<C extends Call>(call: C, params: Params<C>, options: Options<C> = {}): Promise<Calls[C]["answer"]> {
  const answer = await send(call, params, options);
  const parsed = (await answer.json().catch(() => undefined)) as Envelope | undefined;
  if (!answer.ok || parsed === undefined || parsed.success === false) throw failure(answer, parsed);
  return parsed as Calls[C]["answer"];
}

/** Makes a call and returns its result. */
export async function call<C extends Call>(name: C, params: Params<C>, options: Options<C> = {}): Promise<ResultOf<Calls[C]["answer"]>> {
  const whole = (await callWhole(name, params, options)) as { result?: unknown };
  return (whole && typeof whole === "object" && "result" in whole ? whole.result : whole) as ResultOf<Calls[C]["answer"]>;
}

/** Makes a call whose answer is no JSON of ours: stored bodies, files. */
export async function callRaw<C extends Call>(name: C, params: Params<C>, options: Options<C> & { headers?: Record<string, string> } = {}): Promise<Response> {
  const answer = await send(name, params, options, options.headers);
  if (!answer.ok) throw failure(answer, (await answer.json().catch(() => undefined)) as Envelope | undefined);
  return answer;
}

async function send<C extends Call>(call: C, params: Params<C>, options: Options<C>, extra?: Record<string, string>): Promise<Response> {
  const method = call.slice(0, call.indexOf(" "));
  const headers: Record<string, string> = { ...extra };
  if (method !== "GET") headers["X-Sluice-UI"] = "1"; // a page of another site cannot set it
  if (options.ifMatch) headers["If-Match"] = options.ifMatch;
  let body: string | undefined;
  if (options.body !== undefined) {
    headers["Content-Type"] = "application/json";
    body = JSON.stringify(options.body);
  }
  try {
    return await fetch(address(call, params, options.query), { method, headers, body, signal: options.signal, credentials: "same-origin" });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(0, 0, "Sluice cannot be reached");
  }
}

function failure(answer: Response, envelope?: Envelope): ApiError {
  const first = envelope?.errors?.[0];
  return new ApiError(
    answer.status,
    first?.code ?? 0,
    first?.message ?? `${answer.status} ${answer.statusText}`,
    first?.field,
    first?.hint,
    answer.headers.get("cf-ray") ?? answer.headers.get("x-request-id") ?? undefined,
  );
}
