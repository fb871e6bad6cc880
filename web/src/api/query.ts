// The cache of what the API answered, shared by all pages.
import { QueryClient, useQuery, type UseQueryResult } from "@tanstack/react-query";
import type { Calls } from "./types.gen";
import { ApiError, callWhole, type Call, type Params } from "./client";

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      refetchOnWindowFocus: true,
      // What the caller got wrong stays wrong; a server that is being restarted comes back.
      retry: (count, error) => count < 2 && error instanceof ApiError && (error.status === 0 || error.status >= 500),
      placeholderData: (before: unknown) => before,
    },
  },
});

export interface QueryOptions {
  enabled?: boolean;
  /** Milliseconds between fetches; false: only when asked. */
  every?: number | false;
  staleTime?: number;
}

/** The key under which an answer lies: to invalidate all of a call, use its first part. */
export function keyOf<C extends Call>(call: C, params: Params<C>, query?: Calls[C]["query"]) {
  return [call, params, query ?? {}] as const;
}

/** Reads a call, the whole answer with its envelope. */
export function useCall<C extends Call>(
  call: C,
  params: Params<C>,
  query?: Calls[C]["query"],
  options: QueryOptions = {},
): UseQueryResult<Calls[C]["answer"], ApiError> {
  return useQuery<Calls[C]["answer"], ApiError>({
    queryKey: keyOf(call, params, query),
    queryFn: ({ signal }) => callWhole(call, params, { query, signal }),
    enabled: options.enabled,
    refetchInterval: options.every ?? false,
    staleTime: options.staleTime,
  });
}
