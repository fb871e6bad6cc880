// A logged request, to be sent once more: as it was, or edited first.
import { useQuery } from "@tanstack/react-query";
import { call, callRaw, type ApiError } from "@/api/client";
import type { Entry } from "@/api/types.gen";
import { readConversation, stepOf, type StoredBody } from "@/lib/conversation";
import { chatParams, chatTools } from "@/lib/conversation/chat";
import { parse } from "@/lib/conversation/json";
import type { Conversation } from "@/lib/conversation/model";
import type { Place } from "@/lib/place";
import { emptyDraft, source, type Draft } from "./draft";
import type { Request } from "./run";

export interface Logged {
  entry: Entry;
  body: string;
  talk?: Conversation;
}

const log = "/client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/logs/{id}";

export function useLogged(place: Place, id: string) {
  return useQuery<Logged, ApiError>({
    queryKey: ["replay", place.account, place.gateway, id],
    enabled: id !== "",
    staleTime: Infinity,
    placeholderData: undefined,
    queryFn: async ({ signal }) => {
      const params = { ...place, id };
      const entry = await call(`GET ${log}`, params, { query: { basis: "requests" }, signal });
      const body = async (side: "request" | "response"): Promise<StoredBody | undefined> => {
        if (!entry[side]?.stored) return undefined;
        const answer = await callRaw(`GET ${log}/${side}`, params, { query: { encoding: "identity" }, signal });
        return { bytes: new Uint8Array(await answer.arrayBuffer()), type: answer.headers.get("content-type") ?? "" };
      };
      const [request, response] = await Promise.all([body("request"), body("response")]);
      return { entry, body: request ? new TextDecoder().decode(request.bytes) : "", talk: readConversation(request, response, entry.step ?? 0) };
    },
  });
}

/** Headers of the request that say how the gateway is to treat it; keys are not in the log, and not wanted here. */
const carried = /^(cf-aig-(cache-ttl|skip-cache|max-attempts|retry-delay|backoff|request-timeout|cache-key|custom-cost)|anthropic-(version|beta)|openai-beta)$/i;

/** The request as it was sent: same provider, same path, same bytes. */
export function asSent(logged: Logged): Request {
  const { entry } = logged;
  const headers: Record<string, string> = {};
  for (const h of entry.request_headers ?? []) if (carried.test(h.name)) headers[h.name] = h.value;
  headers["cf-aig-metadata"] = JSON.stringify({ source, replay_of: entry.id });
  const universal = entry.request_type === "universal";
  return { path: universal ? "" : `${entry.provider}/${entry.path ?? ""}`, body: logged.body, headers };
}

/** The request as a draft: messages, tools and parameters in the playground's own form. */
export function asDraft(logged: Logged): Draft | undefined {
  const { entry, talk } = logged;
  if (!talk?.asked.length) return undefined;
  const params = chatParams(stepOf(parse(logged.body), entry.step ?? 0)) as Record<string, number | undefined>;
  const tools = chatTools(talk.tools);
  const text = (n: number | undefined) => (n === undefined ? "" : String(n));
  return {
    ...emptyDraft,
    messages: talk.asked,
    tools: tools.length ? JSON.stringify(tools, null, 2) : "",
    targets: [`${entry.provider}/${entry.model}`],
    stream: entry.streamed ?? true,
    temperature: text(params.temperature),
    maxTokens: text(params.max_tokens),
    topP: text(params.top_p),
  };
}
