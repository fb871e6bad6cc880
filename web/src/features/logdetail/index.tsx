// One log entry: what happened, when, what was said, what it cost. In a panel beside the list, and as a page.
import { useQueryClient } from "@tanstack/react-query";
import { ArrowDown, ArrowUp, Maximize2, X } from "lucide-react";
import { useEffect, useRef } from "react";
import { Link } from "@tanstack/react-router";
import type { Entry } from "@/api/types.gen";
import { keyOf, useCall } from "@/api/query";
import { at } from "@/lib/place";
import { useLive } from "@/lib/live";
import { useParam } from "@/lib/search";
import { t } from "@/messages";
import { IconButton } from "@/ui/Button";
import { EmptyState, ErrorPanel, Skeleton, Stale } from "@/ui/State";
import { Tabs } from "@/ui/Tabs";
import type { Spot } from "./body";
import { BodyTab } from "./BodyTab";
import { CostBox } from "./CostBox";
import { Facts, Metadata } from "./Facts";
import { Header } from "./Header";
import { AttemptsTab, HeadersTab, RelatedTab } from "./SmallTabs";
import { StreamTab } from "./StreamTab";
import { TalkTab } from "./TalkTab";
import { Timeline } from "./Timeline";
import { CacheNote } from "./CacheNote";

interface Props {
  account: string;
  gateway: string;
  id: string;
  /** Closes the panel; without it there is no button for that. */
  onClose?: () => void;
  /** Goes to the next (1) or the previous (-1) entry of the list. */
  onMove?: (step: 1 | -1) => void;
  /** The entry was deleted; without it the panel is closed. */
  onGone?: () => void;
}

const logCall = "GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/logs/{id}";
const tabs = ["talk", "request", "response", "headers", "stream", "attempts", "related"] as const;
type TabName = (typeof tabs)[number];

export default function LogPanel({ account, gateway, id, onClose, onMove, onGone = onClose }: Props) {
  const spot: Spot = { account, gateway, id };
  const query = useCall(logCall, { ...spot }, { basis: "requests" });
  const entry = query.data?.result;
  const current = entry?.id === id; // while another one is fetched, the one before is shown, dimmed
  useFollow(spot, entry);
  usePanelKeys(onClose, onMove);
  return (
    <section aria-label={t("detail.panel")} className="flex min-h-0 min-w-0 flex-1 flex-col">
      {(onClose || onMove) && (
        <div className="flex h-9 shrink-0 items-center gap-1 border-b border-line px-2">
          <h2 className="min-w-0 flex-1 truncate px-1 font-medium">{t("detail.panel")}</h2>
          {onMove && (
            <>
              <IconButton size="sm" label={t("detail.previous")} onClick={() => onMove(-1)}>
                <ArrowUp size={14} aria-hidden />
              </IconButton>
              <IconButton size="sm" label={t("detail.next")} onClick={() => onMove(1)}>
                <ArrowDown size={14} aria-hidden />
              </IconButton>
            </>
          )}
          <Link to={at({ account, gateway }, `logs/${encodeURIComponent(id)}`)} title={t("detail.fullPage")} aria-label={t("detail.fullPage")} className="grid size-6 place-items-center rounded-md text-muted hover:bg-hover hover:text-text">
            <Maximize2 size={13} aria-hidden />
          </Link>
          {onClose && (
            <IconButton size="sm" label={t("shell.close")} onClick={onClose}>
              <X size={14} aria-hidden />
            </IconButton>
          )}
        </div>
      )}
      <div className="min-h-0 flex-1 overflow-y-auto p-3 sm:p-4">
        {query.error && !current ? (
          query.error.status === 404 ? (
            <EmptyState title={t("detail.goneTitle")}>
              {t("detail.goneText")} <code className="break-all">{id}</code>
            </EmptyState>
          ) : (
            <ErrorPanel error={query.error} onRetry={() => void query.refetch()} />
          )
        ) : entry ? (
          <Stale stale={!current}>
            <Detail spot={{ ...spot, id: entry.id }} entry={entry} onGone={onGone} />
          </Stale>
        ) : (
          <Skeleton lines={12} />
        )}
      </div>
    </section>
  );
}

function Detail({ spot, entry, onGone }: { spot: Spot; entry: Entry; onGone?: () => void }) {
  const [chosen, setTab] = useParam("tab", "talk");
  const tab: TabName = tabs.find((name) => name === chosen) ?? "talk";
  return (
    <div className="flex min-w-0 flex-col gap-4">
      <Header spot={spot} entry={entry} onGone={onGone} />
      <Facts entry={entry} />
      <Metadata entry={entry} place={spot} />
      <Timeline spot={spot} entry={entry} />
      <CacheNote spot={spot} entry={entry} />
      <CostBox account={spot.account} entry={entry} />
      <Tabs label={t("detail.parts")} tabs={tabs.map((value) => ({ value, label: t(`detail.tab_${value}`) }))} value={tab} onChange={(value) => setTab(value, true)}>
        {tab === "talk" && <TalkTab key={entry.id} spot={spot} entry={entry} />}
        {tab === "request" && <BodyTab key={`${entry.id}q`} spot={spot} entry={entry} side="request" />}
        {tab === "response" && <BodyTab key={`${entry.id}r`} spot={spot} entry={entry} side="response" />}
        {tab === "headers" && <HeadersTab entry={entry} />}
        {tab === "stream" && <StreamTab key={entry.id} spot={spot} entry={entry} />}
        {tab === "attempts" && <AttemptsTab entry={entry} />}
        {tab === "related" && <RelatedTab spot={spot} />}
      </Tabs>
    </div>
  );
}

/** Keeps an entry up to date while its request runs, and when somebody else judges or deletes it. */
function useFollow(spot: Spot, entry: Entry | undefined) {
  const client = useQueryClient();
  useLive(entry?.ending === "in_flight" ? { account: spot.account, kinds: ["logs"], q: `id:${spot.id}` } : null, (events) => {
    if (events.some((e) => e.type === "resync" || ("log" in e && e.log.id === spot.id))) {
      void client.invalidateQueries({ queryKey: keyOf(logCall, { ...spot }, { basis: "requests" }) });
      void client.invalidateQueries({ queryKey: [`${logCall}/timeline`] });
    }
  });
}

/** j and k go on in the list, Esc closes, [ and ] change the tab; never within a field. */
function usePanelKeys(onClose?: () => void, onMove?: (step: 1 | -1) => void) {
  const [chosen, setTab] = useParam("tab", "talk");
  const now = useRef({ onClose, onMove, chosen, setTab });
  useEffect(() => {
    now.current = { onClose, onMove, chosen, setTab };
  });
  useEffect(() => {
    const press = (e: KeyboardEvent) => {
      const within = e.target instanceof HTMLElement && (e.target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(e.target.tagName));
      if (e.defaultPrevented || within || e.ctrlKey || e.metaKey || e.altKey || document.querySelector("[role=dialog],[role=menu]")) return;
      const { onClose: close, onMove: move, chosen: tab, setTab: set } = now.current;
      const turn = (step: number) => set(tabs[(Math.max(0, tabs.indexOf(tab as TabName)) + step + tabs.length) % tabs.length], true);
      const act: Record<string, (() => void) | undefined> = {
        j: move && (() => move(1)),
        k: move && (() => move(-1)),
        Escape: close,
        "[": () => turn(-1),
        "]": () => turn(1),
      };
      const run = act[e.key];
      if (!run) return;
      e.preventDefault();
      run();
    };
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  }, []);
}
