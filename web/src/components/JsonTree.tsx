// JSON as a tree: only the rows in sight are there, so that long bodies scroll well.
import { useVirtualizer } from "@tanstack/react-virtual";
import { ChevronRight } from "lucide-react";
import { useEffect, useMemo, useRef, useState, type KeyboardEvent } from "react";
import { flatten, parseAny, visibleRows, type JsonNode, type JsonTree as Tree, type TreeAnswer } from "@/lib/jsontree";
// oxlint-disable-next-line import/default -- the build tool makes the module
import workerUrl from "@/lib/jsontree.worker.ts?worker&url";
import { bytes, count } from "@/lib/format";
import { t } from "@/messages";
import { Button } from "@/ui/Button";
import { classes } from "@/ui/classes";
import { Skeleton } from "@/ui/State";
import { copyText } from "./Copy";

/** Rows that are made without being asked for. */
const usual = 20_000;
/** Texts up to here are parsed at once: a worker would take longer to start. */
const small = 64 * 1024;

interface TrustedTypes {
  createPolicy: (name: string, rules: { createScriptURL: (url: string) => string }) => { createScriptURL: (url: string) => string };
}

let policy: { createScriptURL: (url: string) => string } | undefined;

/** The pages' own rules want the address of a worker to be vouched for; this one is our own file. */
function startWorker(): Worker {
  const types = (window as { trustedTypes?: TrustedTypes }).trustedTypes;
  policy ??= types?.createPolicy("sluice-worker", { createScriptURL: (url) => url }) ?? { createScriptURL: (url) => url };
  return new Worker(policy.createScriptURL(workerUrl), { type: "module" });
}

function parseHere(source: string, most: number): TreeAnswer {
  try {
    return { tree: flatten(parseAny(source), most) };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

/** The rows of a text; undefined: not there yet. */
function useTree(source: string, most: number): TreeAnswer | undefined {
  const here = useMemo(() => (source.length <= small ? parseHere(source, most) : undefined), [source, most]);
  const [answer, set] = useState<{ of: string; most: number; answer: TreeAnswer }>();
  useEffect(() => {
    if (here) return;
    const worker = startWorker();
    worker.addEventListener("message", (m: MessageEvent<TreeAnswer>) => set({ of: source, most, answer: m.data }));
    worker.addEventListener("error", () => set({ of: source, most, answer: { error: t("json.broken") } }));
    worker.postMessage({ source, most }); // oxlint-disable-line unicorn/require-post-message-target-origin -- a worker has none
    return () => worker.terminate();
  }, [source, most, here]);
  return here ?? (answer?.of === source && answer.most === most ? answer.answer : undefined);
}

export function JsonTree({ source, label }: { source: string; label: string }) {
  const [most, setMost] = useState(usual);
  const answer = useTree(source, most);
  if (!answer) return <Skeleton lines={8} />;
  if ("error" in answer) {
    return (
      <div className="flex flex-col gap-2">
        <p className="text-xs text-muted">{t("json.notJson", { reason: answer.error })}</p>
        <PlainText text={source} label={label} />
      </div>
    );
  }
  return (
    <div className="flex min-w-0 flex-col gap-2">
      <TreeRows tree={answer.tree} label={label} />
      {answer.tree.cut && (
        <div className="flex flex-wrap items-center gap-2 text-xs text-muted">
          {t("json.cut", { n: count(most) })}
          <Button size="sm" onClick={() => setMost(Number.MAX_SAFE_INTEGER)}>
            {t("json.all")}
          </Button>
        </div>
      )}
    </div>
  );
}

/** A text as it is; only its beginning where it is long, the rest when asked for. */
export function PlainText({ text, label }: { text: string; label: string }) {
  const [whole, setWhole] = useState(false);
  const long = text.length > small && !whole;
  return (
    <div className="flex min-w-0 flex-col gap-2">
      <pre tabIndex={0} aria-label={label} className="max-h-[36rem] overflow-auto rounded-md border border-line bg-sunken p-3 break-words whitespace-pre-wrap">
        {long ? text.slice(0, small) : text}
      </pre>
      {long && (
        <div className="flex flex-wrap items-center gap-2 text-xs text-muted">
          {t("json.head", { head: bytes(small), size: bytes(text.length) })}
          <Button size="sm" onClick={() => setWhole(true)}>
            {t("json.all")}
          </Button>
        </div>
      )}
    </div>
  );
}

function TreeRows({ tree, label }: { tree: Tree; label: string }) {
  const { nodes } = tree;
  const [folded, setFolded] = useState<ReadonlySet<number>>(new Set());
  const [active, setActive] = useState(0);
  const rows = useMemo(() => visibleRows(nodes, folded), [nodes, folded]);
  const box = useRef<HTMLDivElement>(null);
  // oxlint-disable-next-line react/incompatible-library -- nothing here is memoized by a compiler
  const virtual = useVirtualizer({ count: rows.length, getScrollElement: () => box.current, estimateSize: () => 20, overscan: 20 });
  const fold = (i: number, shut: boolean) => {
    const next = new Set(folded);
    if (shut) next.add(i);
    else next.delete(i);
    setFolded(next);
  };
  const place = Math.max(0, rows.indexOf(active));
  const go = (to: number) => {
    const row = Math.min(rows.length - 1, Math.max(0, to));
    setActive(rows[row]!);
    virtual.scrollToIndex(row);
  };
  const keys = (e: KeyboardEvent) => {
    const node = nodes[active]!;
    const container = node.end > active + 1;
    const parent = () => nodes.findLastIndex((n, i) => i < active && n.depth < node.depth);
    const act: Record<string, () => void> = {
      ArrowDown: () => go(place + 1),
      ArrowUp: () => go(place - 1),
      PageDown: () => go(place + 20),
      PageUp: () => go(place - 20),
      Home: () => go(0),
      End: () => go(rows.length - 1),
      ArrowRight: () => (container && folded.has(active) ? fold(active, false) : go(place + 1)),
      ArrowLeft: () => (container && !folded.has(active) ? fold(active, true) : parent() >= 0 && go(rows.indexOf(parent()))),
      Enter: () => container && fold(active, !folded.has(active)),
    };
    const run = act[e.key];
    if (!run || e.metaKey || e.ctrlKey || e.altKey) return;
    e.preventDefault();
    e.stopPropagation();
    run();
  };
  return (
    <div
      ref={box}
      role="tree"
      aria-label={label}
      tabIndex={0}
      aria-activedescendant={`json-${active}`}
      onKeyDown={keys}
      className="max-h-[36rem] min-h-20 overflow-auto rounded-md border border-line bg-sunken p-2"
    >
      <div role="presentation" className="relative" style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map((item) => {
          const i = rows[item.index]!;
          return <Row key={i} node={nodes[i]!} index={i} top={item.start} shut={folded.has(i)} container={nodes[i]!.end > i + 1} active={i === active} onFold={(shut) => fold(i, shut)} onActive={() => setActive(i)} />;
        })}
      </div>
    </div>
  );
}

interface RowProps {
  node: JsonNode;
  index: number;
  top: number;
  shut: boolean;
  container: boolean;
  active: boolean;
  onFold: (shut: boolean) => void;
  onActive: () => void;
}

const colours: Record<JsonNode["kind"], string> = {
  object: "text-faint",
  array: "text-faint",
  string: "text-ok",
  number: "text-cache",
  boolean: "text-block",
  null: "text-muted",
  more: "text-muted",
};

function Row({ node, index, top, shut, container, active, onFold, onActive }: RowProps) {
  return (
    // oxlint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/interactive-supports-focus -- the tree has the focus and the keys
    <div
      id={`json-${index}`}
      role="treeitem"
      aria-level={node.depth + 1}
      aria-expanded={container ? !shut : undefined}
      aria-selected={active}
      onClick={() => {
        onActive();
        if (container) onFold(!shut);
      }}
      onDoubleClick={() => !container && void copyText(plainOf(node), node.key === null ? t("json.value") : String(node.key))}
      style={{ top, paddingInlineStart: `${node.depth * 0.875}rem` }}
      className={classes("absolute inset-x-0 flex h-5 items-center gap-1 rounded-sm", active && "bg-hover")}
    >
      <ChevronRight size={12} aria-hidden className={classes("shrink-0 text-faint", container ? !shut && "rotate-90" : "invisible")} />
      {node.key !== null && <span className="num shrink-0 text-muted">{node.key}:</span>}
      {node.kind === "more" ? (
        <span className="rounded-sm border border-line bg-surface px-1 text-2xs text-muted">
          {node.text} {bytes(node.length)}
        </span>
      ) : node.kind === "object" || node.kind === "array" ? (
        <span className="num text-faint">{node.kind === "array" ? `[${node.text}]` : `{${node.text}}`}</span>
      ) : (
        <span className={classes("num truncate", colours[node.kind])} title={node.text.length > 60 ? node.text.slice(0, 1000) : undefined}>
          {node.text}
          {node.length !== undefined && <span className="text-faint"> … {bytes(node.length)}</span>}
        </span>
      )}
    </div>
  );
}

function plainOf(node: JsonNode): string {
  return node.kind === "string" ? (JSON.parse(node.text) as string) : node.text;
}
