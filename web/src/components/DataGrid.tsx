// A list of very many rows, of which only those in sight are in the document. All rows are of one height, so that a
// hundred thousand of them cost no more than a screenful, also while rows come in at the top.
import { ArrowDown } from "lucide-react";
import { memo, useEffect, useImperativeHandle, useLayoutEffect, useRef, useState, type CSSProperties, type KeyboardEvent, type PointerEvent, type ReactNode, type Ref } from "react";
import { t } from "@/messages";
import { classes } from "@/ui/classes";

export interface Column<T> {
  id: string;
  header: string;
  /** Pixels; those that grow share what is left. */
  width: number;
  grow?: boolean;
  /** Numbers stand at the end of their cell. */
  end?: boolean;
  /** The list can be ordered by it. */
  sorts?: boolean;
  cell: (row: T) => ReactNode;
}

export interface GridHandle {
  toTop: () => void;
  /** Rows were added above what is in sight (or taken away): what one looks at stays where it is. */
  shift: (rows: number) => void;
  /** Puts the focus on a row. */
  focus: (index: number) => void;
}

interface Props<T> {
  handle?: Ref<GridHandle>;
  label: string;
  columns: Column<T>[];
  count: number;
  rowAt: (index: number) => T;
  idOf: (row: T) => string;
  /** Where the row with this id is, or -1. */
  indexOf: (id: string) => number;
  /** All rows that there are, loaded or not; -1 while nobody knows. */
  total: number;
  rowHeight: number;
  /** In place of cells, where there is no room for them. */
  card?: (row: T) => ReactNode;
  sort?: string;
  onSort?: (column: string) => void;
  onResize?: (column: string, width: number) => void;
  /** Id of the row that has, or last had, the focus. */
  active: string | undefined;
  onActive: (id: string | undefined, index: number) => void;
  /** Id of the row whose details are shown. */
  shown?: string;
  onOpen: (id: string) => void;
  onHover?: (id: string) => void;
  selected: ReadonlySet<string>;
  onSelect: (index: number, range: boolean) => void;
  onSelectAll?: (all: boolean) => void;
  onScrolled?: (away: boolean) => void;
  /** The first or last rows are in sight: more are wanted. */
  onEdge?: (edge: "top" | "end") => void;
  onFocusWithin?: (within: boolean) => void;
  footer?: ReactNode;
}

const around = 8;
const selectWidth = 36;

export function DataGrid<T>(props: Props<T>) {
  const { columns, count, rowAt, idOf, rowHeight, card, active, onActive, onScrolled, onEdge } = props;
  const box = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 600 });
  const [cell, setCell] = useState(-1); // -1: the row itself has the focus
  const wanted = useRef<string | undefined>(undefined);

  const look = () => {
    const el = box.current!;
    // By whole rows: a frame in which no row comes or goes renders nothing.
    const top = Math.max(0, Math.floor(el.scrollTop / rowHeight));
    const height = el.clientHeight;
    setView((v) => (v.top === top && v.height === height ? v : { top, height }));
    onScrolled?.(el.scrollTop > rowHeight / 2);
  };
  const latestLook = useRef(look);
  useEffect(() => {
    latestLook.current = look;
  });
  useEffect(() => {
    const el = box.current!;
    const watch = new ResizeObserver(() => latestLook.current());
    watch.observe(el);
    return () => watch.disconnect();
  }, []);

  const first = Math.max(0, view.top - around);
  const last = Math.min(count, view.top + Math.ceil(view.height / rowHeight) + around);
  const edge = count === 0 ? undefined : last >= count ? "end" : view.top < 20 ? "top" : undefined;
  useEffect(() => {
    if (edge) onEdge?.(edge);
  }, [edge, count, onEdge]);

  const activeIndex = active === undefined ? -1 : props.indexOf(active);
  // The row with the focus stays in the document when it is scrolled out of sight: the focus would be lost with it.
  const indexes: number[] = [];
  if (activeIndex >= 0 && activeIndex < first) indexes.push(activeIndex);
  for (let i = first; i < last; i++) indexes.push(i);
  if (activeIndex >= last) indexes.push(activeIndex);
  const tabStop = activeIndex >= 0 ? activeIndex : Math.min(view.top, count - 1);

  useLayoutEffect(() => {
    if (wanted.current === undefined) return;
    const row = box.current!.querySelector<HTMLElement>(`[data-row="${CSS.escape(wanted.current)}"]`);
    const target = cell >= 0 ? row?.querySelectorAll<HTMLElement>("[data-column]")[cell] : row;
    if (!target) return;
    wanted.current = undefined;
    target.focus({ preventScroll: true });
  });

  const focusRow = (index: number, column = cell) => {
    if (!count) return;
    const to = Math.min(Math.max(index, 0), count - 1);
    const el = box.current!;
    const head = card ? 0 : rowHeight;
    const top = to * rowHeight;
    if (top < el.scrollTop) el.scrollTop = top;
    else if (top + rowHeight > el.scrollTop + el.clientHeight - head) el.scrollTop = top + rowHeight - el.clientHeight + head;
    wanted.current = idOf(rowAt(to));
    setCell(column);
    look();
    onActive(wanted.current, to);
  };

  useImperativeHandle(props.handle, () => ({
    toTop: () => box.current?.scrollTo({ top: 0 }),
    shift: (rows) => {
      if (box.current) box.current.scrollTop += rows * rowHeight;
    },
    focus: (index) => focusRow(index),
  }));

  const onKeyDown = (e: KeyboardEvent) => {
    if (e.target instanceof HTMLInputElement && e.target.type !== "checkbox") return;
    if (e.metaKey || e.ctrlKey || e.altKey || (e.target as HTMLElement).closest("[data-head]")) return;
    const page = Math.max(1, Math.floor(view.height / rowHeight) - 2);
    const at = activeIndex < 0 ? tabStop : activeIndex;
    const rtl = getComputedStyle(e.currentTarget).direction === "rtl";
    const moves: Record<string, () => void> = {
      ArrowDown: () => focusRow(at + 1),
      ArrowUp: () => focusRow(at - 1),
      PageDown: () => focusRow(at + page),
      PageUp: () => focusRow(at - page),
      Home: () => focusRow(0),
      End: () => focusRow(count - 1),
      [rtl ? "ArrowLeft" : "ArrowRight"]: () => focusRow(at, Math.min(cell + 1, card ? -1 : columns.length - 1)),
      [rtl ? "ArrowRight" : "ArrowLeft"]: () => focusRow(at, Math.max(cell - 1, -1)),
      Enter: () => count && props.onOpen(idOf(rowAt(at))),
      " ": () => count && props.onSelect(at, e.shiftKey),
      x: () => count && props.onSelect(at, false),
      X: () => count && props.onSelect(at, true),
      m: () => openMenu(),
    };
    const run = moves[e.key];
    if (!run || (e.target instanceof HTMLElement && e.target.closest("button,a,input") && (e.key === "Enter" || e.key === " "))) return;
    e.preventDefault();
    e.stopPropagation();
    run();
  };
  const openMenu = () => {
    const target = document.activeElement;
    if (!(target instanceof HTMLElement) || !box.current?.contains(target)) return;
    const { left, top, height } = target.getBoundingClientRect();
    target.dispatchEvent(new MouseEvent("contextmenu", { bubbles: true, cancelable: true, clientX: left + 40, clientY: top + height / 2 }));
  };

  const template = card ? "1fr" : `${selectWidth}px ${columns.map((c) => (c.grow ? `minmax(${c.width}px, 1fr)` : `${c.width}px`)).join(" ")}`;
  const least = card ? 0 : selectWidth + columns.reduce((sum, c) => sum + c.width, 0);
  return (
    <div
      ref={box}
      role="grid"
      tabIndex={-1}
      aria-label={props.label}
      aria-rowcount={props.total < 0 ? -1 : props.total + (card ? 0 : 1)}
      aria-colcount={card ? 1 : columns.length + 1}
      aria-multiselectable
      className="relative min-h-0 flex-1 overflow-auto rounded-lg border border-line bg-surface outline-none"
      onScroll={look}
      onKeyDown={onKeyDown}
      onFocus={() => props.onFocusWithin?.(true)}
      onBlur={(e) => !e.currentTarget.contains(e.relatedTarget) && props.onFocusWithin?.(false)}
    >
      {!card && <Head {...props} template={template} least={least} />}
      <div role="rowgroup" className="relative" style={{ height: count * rowHeight, minWidth: least }}>
        {indexes.map((i) => {
          const row = rowAt(i);
          const id = idOf(row);
          const isSelected = props.selected.has(id);
          return (
            // oxlint-disable-next-line jsx-a11y/click-events-have-key-events -- Enter is the grid's own key
            <div
              key={id}
              role="row"
              data-row={id}
              aria-rowindex={i + (card ? 1 : 2)}
              aria-selected={isSelected}
              tabIndex={i === tabStop && cell < 0 ? 0 : -1}
              className={classes(
                "absolute inset-x-0 grid cursor-default items-center border-b border-line -outline-offset-2",
                isSelected ? "bg-sunken" : id === props.shown ? "bg-hover" : "hover:bg-hover",
              )}
              style={{ transform: `translateY(${i * rowHeight}px)`, height: rowHeight, gridTemplateColumns: template }}
              onFocus={() => id !== active && onActive(id, i)}
              onMouseEnter={() => props.onHover?.(id)}
              onClick={(e) => {
                if ((e.target as HTMLElement).closest("input,button,a")) return;
                onActive(id, i);
                props.onOpen(id);
              }}
            >
              {card ? (
                <div role="gridcell" className="min-w-0 px-3">
                  {card(row)}
                </div>
              ) : (
                <>
                  <div role="gridcell" className="grid h-full place-items-center">
                    <input type="checkbox" tabIndex={-1} checked={isSelected} aria-label={t("grid.select", { n: i + 1 })} className="size-4 accent-accent" onClick={(e) => props.onSelect(i, e.shiftKey)} onChange={nothing} />
                  </div>
                  <Cells row={row} columns={columns} tab={i === tabStop ? cell : -1} />
                </>
              )}
            </div>
          );
        })}
      </div>
      {props.footer}
    </div>
  );
}

function nothing() {}

/** What stands in a row: it is rendered again when the row changes, not when it moves. */
const Cells = memo(CellsOf) as unknown as typeof CellsOf;

function CellsOf<T>({ row, columns, tab }: { row: T; columns: Column<T>[]; tab: number }) {
  return columns.map((c, i) => (
    <div key={c.id} role="gridcell" data-column={c.id} tabIndex={i === tab ? 0 : -1} className={classes("group/cell flex h-full min-w-0 items-center px-2 -outline-offset-2", c.end && "justify-end")}>
      {c.cell(row)}
    </div>
  ));
}

function Head<T>({ columns, template, least, sort, onSort, onResize, count, selected, onSelectAll, rowHeight }: Props<T> & { template: string; least: number }) {
  const style: CSSProperties = { gridTemplateColumns: template, minWidth: least, height: rowHeight };
  return (
    <div role="rowgroup" data-head className="sticky top-0 z-10" style={{ minWidth: least }}>
      <div role="row" aria-rowindex={1} className="grid items-center border-b border-line bg-sunken text-xs text-muted" style={style}>
        <div role="columnheader" className="grid place-items-center">
          <input
            type="checkbox"
            aria-label={t("grid.selectAll")}
            className="size-4 accent-accent"
            checked={count > 0 && selected.size >= count}
            onChange={(e) => onSelectAll?.(e.target.checked)}
          />
        </div>
        {columns.map((c) => (
          <div key={c.id} role="columnheader" aria-sort={sort === c.id ? "descending" : undefined} className={classes("relative flex h-full min-w-0 items-center px-2", c.end && "justify-end")}>
            {c.sorts && onSort ? (
              <button type="button" className="inline-flex min-w-0 items-center gap-1 hover:text-text" onClick={() => onSort(c.id)}>
                <span className="truncate">{c.header}</span>
                {sort === c.id && <ArrowDown size={12} aria-hidden className="shrink-0" />}
              </button>
            ) : (
              <span className="truncate">{c.header}</span>
            )}
            {onResize && <Resizer width={c.width} onResize={(w) => onResize(c.id, w)} />}
          </div>
        ))}
      </div>
    </div>
  );
}

/** The end of a header, to be dragged. The column menu does the same without a pointer. */
function Resizer({ width, onResize }: { width: number; onResize: (width: number) => void }) {
  const start = (e: PointerEvent<HTMLDivElement>) => {
    e.preventDefault();
    const handle = e.currentTarget;
    const column = handle.parentElement!;
    const from = e.clientX;
    const was = column.getBoundingClientRect().width || width;
    const sign = getComputedStyle(column).direction === "rtl" ? -1 : 1;
    handle.setPointerCapture(e.pointerId);
    const end = (up: globalThis.PointerEvent) => {
      handle.removeEventListener("pointerup", end);
      onResize(Math.round(Math.max(48, was + sign * (up.clientX - from))));
    };
    handle.addEventListener("pointerup", end);
  };
  return <div aria-hidden onPointerDown={start} className="absolute inset-y-1 end-0 w-2 cursor-col-resize border-e border-line hover:border-accent" />;
}
