// The list of logs, which is also the live tail.
import { lazy, Suspense, useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { Download } from "lucide-react";
import { address } from "@/api/client";
import { useCall } from "@/api/query";
import type { Entry } from "@/api/types.gen";
import { CopyAs, shellQuote } from "@/components/CopyAs";
import { copyText } from "@/components/Copy";
import { FilterBar, type FilterHandle } from "@/components/FilterBar";
import type { GridHandle } from "@/components/DataGrid";
import { Page } from "@/components/Page";
import { RangePicker } from "@/components/RangePicker";
import { parseFilter, printFilter } from "@/lib/filter";
import { useShortcuts } from "@/lib/keys";
import { ofGateway, useLive, type LiveEvent } from "@/lib/live";
import { at as pathOf, usePlace } from "@/lib/place";
import { rangeOf, useRange } from "@/lib/range";
import { useParam, useSearchParams, useSetParams } from "@/lib/search";
import { useZone } from "@/lib/zone";
import { t } from "@/messages";
import { Button } from "@/ui/Button";
import { Skeleton } from "@/ui/State";
import { DeleteDialog, ExportDialog, SelectionBar, type Selection } from "./Bulk";
import { byDefault, parseColumns, printColumns } from "./columns";
import { ColumnsMenu } from "./ColumnsMenu";
import { List } from "./List";
import { Announcer, LiveBadge } from "./LiveBadge";
import { Overview } from "./Overview";
import { SidePanel } from "./SidePanel";
import { useRows, type Choice } from "./useRows";
import { ViewsMenu } from "./Views";

const LogPanel = lazy(() => import("@/features/logdetail"));

function valid(q: string): boolean {
  try {
    parseFilter(q);
    return true;
  } catch {
    return false;
  }
}

/** Escape, unless it is meant for a field or for what floats. It is no shortcut that can be switched off. */
function useEscape(run: () => void) {
  const latest = useRef(run);
  useEffect(() => {
    latest.current = run;
  });
  useEffect(() => {
    const onKey = (e: KeyboardEvent) => {
      const taken = e.target instanceof Element && e.target.closest("input:not([type=checkbox]), textarea, select, [role=dialog], [role=menu], [role=listbox]");
      if (e.key === "Escape" && !e.defaultPrevented && !taken) latest.current();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
}

export default function LogsPage() {
  const { account, gateway } = usePlace();
  const place = useMemo(() => ({ account, gateway }), [account, gateway]);
  const search = useSearchParams();
  const setParams = useSetParams();
  const [range] = useRange();
  const [zone] = useZone();
  const [q] = useParam("q");
  const [open, setOpen] = useParam("log");
  const [cols, setCols] = useParam("cols", byDefault);
  const [sort] = useParam("sort");
  const [at] = useParam("at");
  const [live, setLive] = useParam("live", "1");
  const chosen = useMemo(() => parseColumns(cols), [cols]);
  const words = chosen.some((c) => c.id === "message");
  const readable = valid(q);
  const choice = useMemo<Choice>(() => ({ place, q: readable ? q : "", range: range.text, sort, at, words }), [place, q, readable, range.text, sort, at, words]);
  const state = useRows(choice);
  const { rows, of, more, refresh, readWords, reload } = state;
  useSyncExternalStore(rows.subscribe, rows.read);

  const [active, setActive] = useState<string | undefined>();
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const [allMatching, setAllMatching] = useState(false);
  const [dialog, setDialog] = useState<"delete" | "export" | undefined>();
  const [away, setAway] = useState(false);
  const [within, setWithin] = useState(false);
  const [news, setNews] = useState({ requests: 0, errors: 0 });
  const grid = useRef<GridHandle>(null);
  const filter = useRef<FilterHandle>(null);

  // What moves under one's eyes: only where the list begins at its newest, and of what is shown.
  const follows = range.relative && !sort && !at && readable && of !== undefined && !state.loading;
  const off = live === "0";
  const held = off || away || within || open !== "";
  useEffect(() => {
    if (!rows.hold(held)) void refresh();
  }, [held, rows, refresh]);

  const calm = useRef<ReturnType<typeof setTimeout>>(undefined);
  const onLive = useCallback(
    (events: LiveEvent[]) => {
      if (events.some((e) => e.type === "resync")) void refresh();
      rows.live(events, Date.now());
      const fresh = events.filter((e) => e.type === "close" && e.matches);
      if (fresh.length) setNews((n) => ({ requests: n.requests + fresh.length, errors: n.errors + fresh.filter((e) => "log" in e && !e.log.success).length }));
      clearTimeout(calm.current);
      // When it is calmer: what was left out, and what events do not carry.
      calm.current = setTimeout(() => {
        if (rows.skipped > 0) void refresh();
        void readWords();
      }, 700);
    },
    [rows, refresh, readWords],
  );
  useEffect(() => () => clearTimeout(calm.current), []);
  const liveState = useLive(follows ? { account: place.account, kinds: ["logs"], q: ofGateway(place.gateway, choice.q) } : null, onLive);

  const showNew = useCallback(() => {
    if (rows.overflow) void refresh();
    rows.release();
    setActive(undefined);
    setAway(false);
    grid.current?.toTop();
    (document.activeElement as HTMLElement | null)?.blur();
  }, [rows, refresh]);

  const setFilter = useCallback(
    (next: string) => {
      setParams({ q: next || undefined, at: undefined });
      setSelected(new Set());
      setAllMatching(false);
    },
    [setParams],
  );
  const addCondition = useCallback(
    (condition: string) => {
      const before = valid(q) ? parseFilter(q) : [];
      setFilter(printFilter([...before, ...parseFilter(condition)]));
    },
    [q, setFilter],
  );

  const zooms = useRef<string[]>([]);
  const zoom = (from: number, to: number) => {
    zooms.current.push(range.text);
    setParams({ range: rangeOf(new Date(from), new Date(to)), at: undefined });
  };
  const back = () => {
    const before = zooms.current.pop();
    if (before !== undefined) setParams({ range: before === "24h" ? undefined : before, at: undefined });
  };

  /** Opens the request that is so many rows away. */
  const move = useCallback(
    (by: number) => {
      const now = rows.indexOf(open || active || "");
      const to = now < 0 ? 0 : Math.min(Math.max(now + by, 0), rows.list.length - 1);
      const row = rows.list[to];
      if (!row) return;
      setActive(row.id);
      grid.current?.focus(to);
      if (open) setOpen(row.id, true);
    },
    [rows, open, active, setOpen],
  );
  const close = useCallback(() => {
    const id = open;
    setOpen(undefined);
    const i = rows.indexOf(id);
    if (i >= 0) requestAnimationFrame(() => grid.current?.focus(i));
  }, [open, rows, setOpen]);

  const errorsOnly = () => setFilter(q.includes("status:error") ? printFilter(parseFilter(q).filter((term) => term.field !== "status")) : `${q} status:error`.trim());
  useShortcuts([
    { id: "logs.filter", keys: "/", label: "logs.keyFilter", run: () => filter.current?.focus() },
    { id: "logs.live", keys: "l", label: "logs.keyLive", run: () => follows && setLive(off ? undefined : "0") },
    { id: "logs.next", keys: "j", label: "logs.keyNext", run: () => move(1) },
    { id: "logs.previous", keys: "k", label: "logs.keyPrevious", run: () => move(-1) },
    { id: "logs.errors", keys: "e", label: "logs.keyErrors", run: errorsOnly },
  ]);
  useEscape(() => {
    if (open) return close();
    setSelected(new Set());
    setAllMatching(false);
  });

  const anchor = useRef(-1);
  const select = useCallback(
    (index: number, ranged: boolean) => {
      setAllMatching(false);
      setSelected((before) => {
        const next = new Set(before);
        const id = rows.list[index]!.id;
        if (ranged && anchor.current >= 0) {
          for (let i = Math.min(anchor.current, index); i <= Math.max(anchor.current, index); i++) next.add(rows.list[i]!.id);
        } else if (!next.delete(id)) next.add(id);
        return next;
      });
      anchor.current = index;
    },
    [rows],
  );

  const histogram = useCall(
    "GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/logs/histogram",
    { account: place.account, gateway: place.gateway },
    { q: choice.q, range: range.text, buckets: 120 },
    { every: follows && !off ? 15_000 : false },
  );
  const matching = histogram.data?.result.total ?? null;
  const selection: Selection = allMatching || selected.size === 0 ? { q: choice.q, range: range.text } : { ids: [...selected] };
  const cli = `sluice logs list ${choice.q ? `${shellQuote(choice.q)} ` : ""}--range ${range.text} --gateway ${place.gateway}`;

  return (
    <Page title={t("logs.title")} quiet fill>
      <div className="relative flex min-h-0 flex-1 flex-col gap-2">
        <div className="flex flex-wrap items-start gap-2">
          <div className="flex min-w-64 flex-1">
            <FilterBar ref={filter} place={place} range={range.text} value={q} onChange={setFilter} />
          </div>
          <RangePicker />
          {follows && <LiveBadge state={liveState} off={off} held={held} waiting={rows.overflow ? `${rows.pending}+` : String(rows.pending)} skipped={rows.skipped} onToggle={() => setLive(off ? undefined : "0")} />}
        </div>
        <Overview place={place} choice={choice} histogram={histogram} zone={zone} onJump={(to) => setParams({ at: new Date(to).toISOString() })} onZoom={zoom} onBack={back}>
          <ViewsMenu place={place} />
          <ColumnsMenu
            chosen={chosen}
            onChange={(next) => setCols(printColumns(next))}
            comfortable={search.rows === "comfortable"}
            onComfortable={(on) => setParams({ rows: on ? "comfortable" : undefined })}
            plain={search.table === "plain"}
            onPlain={(on) => setParams({ table: on ? "plain" : undefined })}
          />
          <Button look="quiet" onClick={() => setDialog("export")}>
            <Download size={14} aria-hidden />
            <span className="max-sm:sr-only">{t("logs.export")}</span>
          </Button>
          <CopyAs cli={cli} path={address("GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/logs", { account: place.account, gateway: place.gateway }, { q: choice.q, range: range.text, basis: "requests" })} />
        </Overview>
        {selected.size > 0 && (
          <SelectionBar
            count={selected.size}
            matching={matching}
            approx={choice.q !== ""}
            all={allMatching}
            onAll={() => setAllMatching(true)}
            onNone={() => (setSelected(new Set()), setAllMatching(false))}
            onDelete={() => setDialog("delete")}
            onExport={() => setDialog("export")}
          />
        )}
        <div data-split className="relative flex min-h-0 flex-1">
          <List
            grid={grid}
            state={state}
            place={place}
            choice={choice}
            chosen={chosen}
            zone={zone}
            total={choice.q ? (rows.older === null && !rows.newer ? rows.list.length : -1) : (state.info?.total_count ?? -1)}
            active={active}
            onActive={setActive}
            shown={open}
            onOpen={(id) => setOpen(id)}
            selected={selected}
            onSelect={select}
            onSelectAll={(all) => setSelected(all ? new Set(rows.list.map((row) => row.id)) : new Set())}
            waiting={held && !off ? rows.pending : 0}
            onShowNew={showNew}
            onAway={setAway}
            onWithin={setWithin}
            onMore={(side) => void more(side).then((by) => by && grid.current?.shift(by))}
            onColumns={(next) => setCols(printColumns(next), true)}
            onCondition={addCondition}
            onCopyLink={(row: Entry) => void copyText(new URL(pathOf(place, `logs/${row.id}`).slice(1), document.baseURI).href, t("logs.copyLink"))}
            onFilter={setFilter}
            onRetry={reload}
          />
          {open !== "" && (
            <SidePanel>
              <Suspense fallback={<Skeleton lines={8} className="p-4" />}>
                <LogPanel account={place.account} gateway={place.gateway} id={open} onClose={close} onMove={move} />
              </Suspense>
            </SidePanel>
          )}
        </div>
        <Announcer news={news} />
      </div>
      {dialog === "delete" && (
        <DeleteDialog
          place={place}
          selection={selection}
          zone={zone}
          onClose={(deleted) => {
            setDialog(undefined);
            if (!deleted) return;
            if ("ids" in selection) rows.remove(selection.ids);
            setSelected(new Set());
            setAllMatching(false);
          }}
        />
      )}
      {dialog === "export" && <ExportDialog place={place} selection={selection} columns={chosen} onClose={() => setDialog(undefined)} />}
    </Page>
  );
}
