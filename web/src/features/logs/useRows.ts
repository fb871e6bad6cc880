// Fetches the list: the first page, further ones in both directions, and the first anew when live events had a gap.
import { useCallback, useEffect, useRef, useState } from "react";
import { callWhole, type ApiError } from "@/api/client";
import type { LogsInfo } from "@/api/types.gen";
import { boundsOf, parseRange } from "@/lib/range";
import type { Place } from "@/lib/place";
import { sortOf } from "./columns";
import { pageSize, Rows, type More } from "./rows";

export interface Choice {
  place: Place;
  q: string;
  range: string;
  /** A column; "": by time. */
  sort: string;
  /** Where the list begins, in the middle of its range; "": at its newest. */
  at: string;
  /** With the first words of each request. */
  words: boolean;
}

/** What a row shows; the first words of a request are read from its body, and only when they are asked for. */
const fields =
  "created_at,provider,model,path,duration,status_code,success,cached,tokens_in,tokens_out,cost,custom_cost,metadata,step,gateway,served_model,endpoint,ending,error_kind,error_text,streamed,ttft,attempt_count,key,usage_basis,feedback";

const list = "GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/logs";
/** A list that is ordered by something else than time has no more rows than this. */
const sortedRows = 1000;

async function fetchPage(choice: Choice, query: { range?: string; cursor?: string; asc?: boolean }, signal?: AbortSignal) {
  const order = sortOf(choice.sort);
  const answer = await callWhole(list, { account: choice.place.account, gateway: choice.place.gateway }, {
    query: {
      q: choice.q,
      range: query.range ?? choice.range,
      basis: "requests",
      fields: choice.words ? `${fields},preview` : fields,
      per_page: order ? sortedRows : pageSize,
      order_by: order,
      order_by_direction: query.asc ? "asc" : undefined,
      cursor: query.cursor,
    },
    signal,
  });
  return { rows: answer.result ?? [], info: answer.result_info as LogsInfo };
}

/** The part of a range before or after a moment. */
function part(range: string, side: "before" | "after", moment: number): string {
  const parsed = parseRange(range);
  const [from, to] = parsed ? boundsOf(parsed) : [0, 0];
  const text = (at: number) => (at ? new Date(at).toISOString() : "");
  return side === "before" ? `${text(from)}..${text(moment)}` : `${text(moment)}..${parsed?.relative ? "" : text(to)}`;
}

const nextOf = (info: LogsInfo): More => (info.next ? { cursor: info.next } : null);

export interface RowsState {
  rows: Rows;
  /** The choice that the rows are of. */
  of: Choice | undefined;
  info: LogsInfo | undefined;
  /** What was asked for last is not there yet. */
  loading: boolean;
  error: ApiError | undefined;
}

export function useRows(choice: Choice) {
  const key = JSON.stringify(choice);
  const [state, setState] = useState<RowsState>(() => ({ rows: new Rows(), of: undefined, info: undefined, loading: true, error: undefined }));
  const [turn, setTurn] = useState(0);
  const busy = useRef(new Set<string>());
  const current = useRef(state);
  useEffect(() => {
    current.current = state;
  });

  useEffect(() => {
    const abort = new AbortController();
    const wanted = JSON.parse(key) as Choice;
    const load = async () => {
      setState((s) => ({ ...s, loading: true, error: undefined }));
      try {
        const begin = wanted.at && !wanted.sort ? Date.parse(wanted.at) : undefined;
        const { rows: page, info } = await fetchPage(wanted, begin ? { range: part(wanted.range, "before", begin) } : {}, abort.signal);
        const rows = new Rows(!wanted.sort);
        rows.reset(page, wanted.sort ? null : nextOf(info), begin ? { from: new Date(begin).toISOString() } : null);
        busy.current.clear();
        setState({ rows, of: wanted, info, loading: false, error: undefined });
      } catch (e) {
        if (!abort.signal.aborted) setState((s) => ({ ...s, loading: false, error: e as ApiError }));
      }
    };
    void load();
    return () => abort.abort();
  }, [key, turn]);

  const reload = useCallback(() => setTurn((n) => n + 1), []);

  /** Fetches more in a direction, once at a time; returns by how many rows what is in sight moves. */
  const more = useCallback(async (side: "older" | "newer"): Promise<number> => {
    const { rows, of } = current.current;
    const from = rows[side];
    if (!of || !from || busy.current.has(side)) return 0;
    busy.current.add(side);
    try {
      const query = "cursor" in from ? { cursor: from.cursor } : {};
      const moment = "from" in from ? Date.parse(from.from) : 0;
      // What begins in the same millisecond is fetched again, and known by its id.
      const range = "from" in from ? part(of.range, side === "older" ? "before" : "after", side === "older" ? moment + 1 : moment) : side === "newer" ? part(of.range, "after", 0) : undefined;
      const { rows: page, info } = await fetchPage(of, { ...query, range, asc: side === "newer" });
      if (current.current.rows !== rows) return 0;
      return side === "older" ? -rows.addOlder(page, nextOf(info)) : rows.addNewer(page, nextOf(info));
    } catch {
      return 0; // the next look at that edge tries again
    } finally {
      busy.current.delete(side);
    }
  }, []);

  /** Fetches the newest page again, and closes what gap there was. */
  const refresh = useCallback(async () => {
    const { rows, of } = current.current;
    if (!of || busy.current.has("head")) return;
    busy.current.add("head");
    try {
      const { rows: page, info } = await fetchPage(of, {});
      if (current.current.rows !== rows) return;
      if (!rows.merge(page, info.next === null && !info.partial)) rows.reset(page, nextOf(info));
      setState((s) => ({ ...s, info, error: undefined }));
    } catch (e) {
      setState((s) => ({ ...s, error: e as ApiError }));
    } finally {
      busy.current.delete("head");
    }
  }, []);

  /** Reads the first words of requests that came by events. */
  const readWords = useCallback(async () => {
    const { rows, of } = current.current;
    const ids = of?.words ? rows.unread(60) : [];
    if (!of || !ids.length) return;
    const answer = await callWhole(list, { account: of.place.account, gateway: of.place.gateway }, { query: { q: `id:${ids.join(",")}`, basis: "requests", fields: "id,preview", per_page: ids.length } }).catch(() => undefined);
    if (answer && current.current.rows === rows) rows.fill(answer.result ?? []);
  }, []);

  return { ...state, readWords, stale: state.loading && state.of !== undefined, reload, more, refresh };
}
