// Stored bodies of a log entry, fetched once per entry.
import { useQuery } from "@tanstack/react-query";
import type { ApiError } from "@/api/client";
import { address, callRaw } from "@/api/client";
import type { Entry } from "@/api/types.gen";
import type { StoredBody } from "@/lib/conversation";

export interface Spot {
  account: string;
  gateway: string;
  id: string;
}

export type Side = "request" | "response";

/** A body above this is fetched when somebody asks for it. */
export const large = 2_000_000;

const calls = {
  request: "GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/logs/{id}/request",
  response: "GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/logs/{id}/response",
} as const;

export function bodyAddress(spot: Spot, side: Side): string {
  return address(calls[side], { ...spot }, { encoding: "identity" });
}

/** Whether the log has the body: what the entry says of it. */
export function stored(entry: Entry, side: Side): boolean {
  return (entry[side]?.stored ?? 0) > 0;
}

export function useBody(spot: Spot, side: Side, enabled: boolean) {
  return useQuery<StoredBody, ApiError>({
    queryKey: ["body", spot.account, spot.gateway, spot.id, side],
    queryFn: async ({ signal }) => {
      const answer = await callRaw(calls[side], { ...spot }, { query: { encoding: "identity" }, signal });
      return { bytes: new Uint8Array(await answer.arrayBuffer()), type: answer.headers.get("content-type") ?? "" };
    },
    enabled,
    staleTime: Infinity, // what is stored does not change
    gcTime: 60_000,
    placeholderData: undefined,
  });
}
