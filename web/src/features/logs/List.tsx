// The rows: as a grid, as cards where there is little room, or as a plain table; and what stands there without any.
import { useCallback, useMemo, useRef, useState, type MouseEvent, type ReactNode, type Ref } from "react";
import type { Entry } from "@/api/types.gen";
import { copyText, Snippet } from "@/components/Copy";
import { DataGrid, type GridHandle } from "@/components/DataGrid";
import { parseFilter, printFilter, printTerm } from "@/lib/filter";
import { dateTime, exact } from "@/lib/format";
import { useNarrow } from "@/lib/narrow";
import { origin } from "@/lib/base";
import type { Place } from "@/lib/place";
import { useParam, useSearchParams, useSetParams } from "@/lib/search";
import { t } from "@/messages";
import { Button } from "@/ui/Button";
import { ContextMenu, type MenuItem } from "@/ui/Overlay";
import { EmptyState, ErrorPanel, Skeleton } from "@/ui/State";
import { cardOf, columnsOf, conditionOf, headerOf, sortOf, textOf, type Chosen } from "./columns";
import type { RowsState } from "./useRows";
import type { Choice } from "./useRows";

interface Props {
  grid: Ref<GridHandle>;
  state: RowsState & { stale: boolean };
  place: Place;
  choice: Choice;
  chosen: Chosen[];
  zone: string;
  total: number;
  active: string | undefined;
  onActive: (id: string | undefined) => void;
  shown: string;
  onOpen: (id: string) => void;
  selected: ReadonlySet<string>;
  onSelect: (index: number, range: boolean) => void;
  onSelectAll: (all: boolean) => void;
  waiting: number;
  onShowNew: () => void;
  onAway: (away: boolean) => void;
  onWithin: (within: boolean) => void;
  onMore: (side: "older" | "newer") => void;
  onColumns: (chosen: Chosen[]) => void;
  onCondition: (condition: string) => void;
  onCopyLink: (row: Entry) => void;
  onFilter: (q: string) => void;
  onRetry: () => void;
}

export function List(props: Props) {
  const { state, choice, chosen, zone, shown, onMore, waiting } = props;
  const { rows, of, loading, error } = state;
  const narrow = useNarrow();
  const search = useSearchParams();
  const setParams = useSetParams();
  const columns = useMemo(() => columnsOf(chosen, zone), [chosen, zone]);
  const target = useRef<{ row: Entry; column: string } | undefined>(undefined);
  const [menu, setMenu] = useState<(MenuItem | null)[]>([]);
  const card = useCallback((row: Entry) => cardOf(row, zone), [zone]);
  const onEdge = useCallback((edge: "top" | "end") => onMore(edge === "end" ? "older" : "newer"), [onMore]);

  if (!of && error) return <div className="flex-1"><ErrorPanel error={error} onRetry={props.onRetry} /></div>;
  if (!of) return <Skeleton lines={12} className="flex-1 rounded-lg border border-line bg-surface p-4" />;

  const onContextMenu = (e: MouseEvent) => {
    const el = e.target as HTMLElement;
    const id = el.closest<HTMLElement>("[data-row]")?.dataset.row;
    const row = id === undefined ? undefined : rows.list[rows.indexOf(id)];
    if (!row) return e.stopPropagation();
    const column = el.closest<HTMLElement>("[data-column]")?.dataset.column ?? "status";
    target.current = { row, column };
    setMenu(menuOf(props, row, column));
  };
  const sort = (column: string) => setParams({ sort: search.sort === column ? undefined : column, at: undefined });
  const plain = search.table === "plain";
  return (
    <div className={`flex min-h-0 min-w-0 flex-1 flex-col gap-2 ${state.stale ? "opacity-80" : ""}`} aria-busy={loading || undefined}>
      {error && <ErrorPanel error={error} onRetry={props.onRetry} />}
      {choice.sort && of.sort && <Notice action={<Button size="sm" onClick={() => setParams({ sort: undefined })}>{t("logs.byTime")}</Button>}>{t("logs.sorted", { n: exact(rows.list.length), what: headerOf(choice.sort) })}</Notice>}
      {choice.at && <Notice action={<Button size="sm" onClick={() => setParams({ at: undefined })}>{t("logs.toNewest")}</Button>}>{t("logs.jumped", { time: dateTime(choice.at, zone) })}</Notice>}
      {rows.list.length === 0 && !loading ? (
        <Empty {...props} />
      ) : plain ? (
        <PlainTable {...props} />
      ) : (
        <ContextMenu items={menu} className="relative flex min-h-0 flex-1 flex-col">
          {/* The menu is of the cell that it was asked for on; what it asks passes through here first. */}
          <div className="flex min-h-0 flex-1 flex-col" onContextMenuCapture={onContextMenu}>
            <DataGrid
              handle={props.grid}
              label={t("logs.title")}
              columns={columns}
              count={rows.list.length}
              rowAt={(i) => rows.list[i]!}
              idOf={idOf}
              indexOf={(id) => rows.indexOf(id)}
              total={props.total}
              rowHeight={narrow ? 56 : search.rows === "comfortable" ? 40 : 32}
              card={narrow ? card : undefined}
              sort={choice.sort}
              onSort={sort}
              onResize={(id, width) => props.onColumns(chosen.map((c) => (c.id === id ? { id, width } : c)))}
              active={props.active}
              onActive={props.onActive}
              shown={shown}
              onOpen={props.onOpen}
              selected={props.selected}
              onSelect={props.onSelect}
              onSelectAll={props.onSelectAll}
              onScrolled={props.onAway}
              onFocusWithin={props.onWithin}
              onEdge={onEdge}
              footer={<p className="sticky start-0 px-4 py-3 text-center text-xs text-muted">{rows.older === null ? t("logs.end") : t("logs.loading")}</p>}
            />
          </div>
          {waiting > 0 && (
            <div className="pointer-events-none absolute inset-x-0 bottom-4 z-10 flex justify-center">
              <Button look="primary" className="pointer-events-auto rounded-full shadow-float" onClick={props.onShowNew}>
                {t("logs.showNew", { n: waiting })}
              </Button>
            </div>
          )}
        </ContextMenu>
      )}
    </div>
  );
}

const idOf = (row: Entry) => row.id;

function Notice({ action, children }: { action: ReactNode; children: ReactNode }) {
  return (
    <div className="flex flex-wrap items-center gap-3 rounded-md bg-sunken px-3 py-1 text-muted">
      <span className="flex-1">{children}</span>
      {action}
    </div>
  );
}

function menuOf({ zone, onCondition, onOpen, onCopyLink }: Props, row: Entry, column: string): (MenuItem | null)[] {
  const condition = conditionOf(column, row);
  const items: (MenuItem | null)[] = [];
  if (condition) {
    const [term] = parseFilter(condition);
    const opposite = printTerm({ ...term!, not: !term!.not });
    items.push({ label: <>{t("logs.filterFor")} <code className="text-muted">{condition}</code></>, onSelect: () => onCondition(condition) });
    items.push({ label: <>{t("logs.filterOut")} <code className="text-muted">{opposite}</code></>, onSelect: () => onCondition(opposite) }, null);
  }
  items.push({ label: t("logs.copyCell"), onSelect: () => void copyText(textOf(column, row, zone), headerOf(column)) });
  items.push({ label: t("logs.copyId"), onSelect: () => void copyText(row.id, t("logs.id")) });
  items.push({ label: t("logs.copyLink"), onSelect: () => onCopyLink(row) }, null);
  items.push({ label: t("logs.openHere"), keys: "Enter", onSelect: () => onOpen(row.id) });
  return items;
}

/** No row: either nothing came yet, or the filter lets nothing pass. */
function Empty({ choice, place, onFilter }: Props) {
  const [, setRange] = useParam("range", "24h");
  if (choice.q) {
    const terms = parseFilter(choice.q);
    return (
      <EmptyState title={t("logs.nothing")} action={<Button onClick={() => onFilter("")}>{t("logs.clearFilter")}</Button>}>
        <p>{t("logs.nothingText")}</p>
        {terms.length > 1 && (
          <ul className="mt-2 flex flex-wrap justify-center gap-2">
            {terms.map((term, i) => (
              <li key={printTerm(term)}>
                <Button size="sm" onClick={() => onFilter(printFilter(terms.filter((_, j) => j !== i)))}>
                  {t("logs.without", { what: printTerm(term) })}
                </Button>
              </li>
            ))}
          </ul>
        )}
      </EmptyState>
    );
  }
  const path = `/v1/${place.account}/${place.gateway}/echo/chat/completions`;
  const code = `curl -s ${origin}${path} \\\n  -H 'content-type: application/json' \\\n  -d '{"model": "echo-1", "messages": [{"role": "user", "content": "Hello"}]}'`;
  return (
    <EmptyState title={t("logs.none")} action={<Button onClick={() => setRange("7d")}>{t("logs.widen")}</Button>}>
      <p>{t("logs.noneText")}</p>
      <div className="mt-3 max-w-[calc(100vw-3rem)] text-start">
        <Snippet code={code} what="curl" />
      </div>
    </EmptyState>
  );
}

const perPage = 50;

/** Real rows of a real table, a page at a time. */
function PlainTable({ state, chosen, zone, onOpen, onMore }: Props) {
  const [page, setPage] = useState(0);
  const { rows } = state;
  const columns = columnsOf(chosen, zone);
  const first = page * perPage;
  const next = () => {
    if (first + 2 * perPage >= rows.list.length) onMore("older");
    setPage(page + 1);
  };
  return (
    <div className="min-h-0 flex-1 overflow-auto rounded-lg border border-line bg-surface">
      <table className="w-full border-collapse text-start">
        <caption className="sr-only">{t("logs.title")}</caption>
        <thead>
          <tr className="bg-sunken text-xs text-muted">
            {columns.map((c) => (
              <th key={c.id} scope="col" className={`px-2 py-1.5 font-normal ${c.end ? "text-end" : "text-start"}`} aria-sort={sortOf(c.id) && state.of?.sort === c.id ? "descending" : undefined}>
                {c.header}
              </th>
            ))}
            <th scope="col" className="px-2 py-1.5 font-normal">
              {t("logs.details")}
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.list.slice(first, first + perPage).map((row) => (
            <tr key={row.id} className="border-t border-line">
              {columns.map((c) => (
                <td key={c.id} className="px-2 py-1.5">
                  <span className={`flex max-w-80 min-w-0 ${c.end ? "justify-end" : ""}`}>{c.cell(row)}</span>
                </td>
              ))}
              <td className="px-2 py-1.5 text-center">
                <Button size="sm" onClick={() => onOpen(row.id)}>
                  {t("logs.openHere")}
                </Button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <div className="sticky start-0 flex items-center justify-center gap-3 border-t border-line p-2">
        <Button size="sm" disabled={page === 0} onClick={() => setPage(page - 1)}>
          {t("logs.previousPage")}
        </Button>
        <span aria-live="polite">{t("logs.page", { n: page + 1 })}</span>
        <Button size="sm" disabled={first + perPage >= rows.list.length && rows.older === null} onClick={next}>
          {t("logs.nextPage")}
        </Button>
      </div>
    </div>
  );
}
