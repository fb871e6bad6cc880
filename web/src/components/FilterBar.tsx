// The filter of a page: its conditions as chips, each with its relation and values to choose from, and a line to type
// more. What is typed is the language of the API and the command line; what is wrong in it is said with its place.
import { ListFilter, Plus, X } from "lucide-react";
import { useId, useImperativeHandle, useRef, useState, type KeyboardEvent, type Ref } from "react";
import { useCall } from "@/api/query";
import { fieldOf, FilterError, fields, hasPatterns, literal, parseFilter, printFilter, printTerm, shownValue, sign, type Field, type Fault, type Op, type Term } from "@/lib/filter";
import { count } from "@/lib/format";
import type { Place } from "@/lib/place";
import { t, type Key } from "@/messages";
import { Button, IconButton } from "@/ui/Button";
import { classes } from "@/ui/classes";
import { Input, Select } from "@/ui/Field";
import { Popover } from "@/ui/Overlay";

export interface FilterHandle {
  focus: () => void;
}

interface Props {
  ref?: Ref<FilterHandle>;
  place: Place;
  range: string;
  value: string;
  /** typed: the text is being written, and each letter is not a step of its own. */
  onChange: (q: string) => void;
}

/** A filter's terms, and what cannot be read behind them. */
function split(q: string): { terms: Term[]; fault?: FilterError } {
  try {
    return { terms: parseFilter(q) };
  } catch (e) {
    return { terms: [], fault: e as FilterError };
  }
}

function faultText(e: FilterError): string {
  return t(`filter.${e.fault satisfies Fault}`, { what: e.what, example: e.example });
}

export function FilterBar({ ref, place, range, value, onChange }: Props) {
  const { terms, fault } = split(value);
  const [draft, setDraft] = useState("");
  const [problem, setProblem] = useState<FilterError | undefined>();
  const input = useRef<HTMLInputElement>(null);
  const id = useId();
  useImperativeHandle(ref, () => ({ focus: () => input.current?.focus() }));

  const apply = (next: Term[]) => onChange(printFilter(next));
  const commit = (text: string) => {
    if (!text.trim()) return;
    try {
      apply([...terms, ...parseFilter(text)]);
      setDraft("");
      setProblem(undefined);
    } catch (e) {
      setProblem(e as FilterError);
    }
  };
  const shownProblem = problem ?? fault;
  const shownText = problem ? draft : value;
  return (
    <div className="min-w-0 flex-1">
      <div className="flex min-h-8 flex-wrap items-center gap-1 rounded-md border border-control bg-surface px-1.5 py-[3px] focus-within:outline-2 focus-within:outline-offset-1 focus-within:outline-accent">
        <ListFilter size={14} aria-hidden className="mx-1 shrink-0 text-muted" />
        {terms.map((term, i) => (
          <Chip
            key={`${i}:${printTerm(term)}`}
            term={term}
            place={place}
            range={range}
            others={printFilter(terms.filter((_, j) => j !== i))}
            onChange={(next) => apply(next ? terms.map((old, j) => (j === i ? { ...old, ...next } : old)) : terms.filter((_, j) => j !== i))}
          />
        ))}
        <Typing
          ref={input}
          draft={draft}
          placeholder={terms.length ? t("filter.add") : t("filter.placeholder")}
          place={place}
          range={range}
          q={fault ? "" : value}
          describedBy={shownProblem ? `${id}-problem` : undefined}
          onDraft={(text) => {
            setDraft(text);
            setProblem(undefined);
          }}
          onCommit={commit}
          onBackspace={() => terms.length && apply(terms.slice(0, -1))}
        />
        {(terms.length > 0 || fault) && (
          <IconButton size="sm" label={t("filter.clear")} onClick={() => onChange("")}>
            <X size={14} aria-hidden />
          </IconButton>
        )}
      </div>
      {shownProblem && (
        <p id={`${id}-problem`} role="alert" className="mt-1 text-xs text-bad">
          {faultText(shownProblem)}{" "}
          <code className="text-text">
            {shownText.slice(0, shownProblem.from)}
            <mark className="bg-bad-soft text-bad underline decoration-wavy">{shownText.slice(shownProblem.from, shownProblem.to) || " "}</mark>
            {shownText.slice(shownProblem.to)}
          </code>
        </p>
      )}
    </div>
  );
}

interface TypingProps {
  ref: Ref<HTMLInputElement>;
  draft: string;
  placeholder: string;
  place: Place;
  range: string;
  q: string;
  describedBy?: string;
  onDraft: (text: string) => void;
  onCommit: (text: string) => void;
  onBackspace: () => void;
}

interface Suggestion {
  /** What takes the place of the last word. */
  text: string;
  label: string;
  note?: string;
  /** It is a whole condition. */
  whole: boolean;
}

/** The last word of what is typed, with its field where it has one. */
function lastWord(draft: string): { before: string; word: string; field?: Field; name: string; value: string } {
  const at = Math.max(draft.lastIndexOf(" "), -1) + 1;
  const before = draft.slice(0, at);
  const word = draft.slice(at);
  const parts = /^(-?)([\w.]+):([<>=~]*)(.*)$/.exec(word);
  const name = parts?.[2] ?? "";
  const field = parts ? (name.startsWith("meta.") ? fieldOf("meta") : fieldOf(name)) : undefined;
  return { before, word, field, name, value: parts?.[4] ?? "" };
}

function Typing({ ref, draft, placeholder, place, range, q, describedBy, onDraft, onCommit, onBackspace }: TypingProps) {
  const [open, setOpen] = useState(false);
  const [at, setAt] = useState(-1);
  const id = useId();
  const last = lastWord(draft);
  const facetField = last.field?.facet || last.name.startsWith("meta.") ? (last.name.startsWith("meta.") ? last.name : last.field!.name) : "";
  const facets = useFacets(place, range, q, facetField, open && facetField !== "");
  const suggestions = open ? suggest(last, facets) : [];

  const choose = (s: Suggestion) => {
    setAt(-1);
    if (s.whole) onCommit(last.before + s.text);
    else onDraft(last.before + s.text);
  };
  const onKeyDown = (e: KeyboardEvent<HTMLInputElement>) => {
    if (e.nativeEvent.isComposing) return;
    if (e.key === "ArrowDown" || e.key === "ArrowUp") {
      e.preventDefault();
      const n = suggestions.length;
      setOpen(true);
      if (n) setAt((now) => (e.key === "ArrowDown" ? (now + 1) % n : (now <= 0 ? n : now) - 1));
    } else if (e.key === "Enter" || (e.key === "Tab" && at >= 0)) {
      e.preventDefault();
      const s = suggestions[at];
      if (s) choose(s);
      else onCommit(draft);
    } else if (e.key === "Escape") {
      e.stopPropagation();
      if (open && suggestions.length) setOpen(false);
      else e.currentTarget.blur();
    } else if (e.key === "Backspace" && draft === "") {
      onBackspace();
    }
  };
  const listed = open && suggestions.length > 0;
  return (
    <div className="relative min-w-40 flex-1">
      <input
        ref={ref}
        type="text"
        role="combobox"
        aria-label={t("filter.label")}
        aria-expanded={listed}
        aria-controls={`${id}-list`}
        aria-autocomplete="list"
        aria-activedescendant={listed && at >= 0 ? `${id}-${at}` : undefined}
        aria-describedby={describedBy}
        aria-keyshortcuts="/"
        autoComplete="off"
        autoCapitalize="off"
        spellCheck={false}
        className="h-6 w-full min-w-0 bg-transparent outline-none placeholder:text-faint"
        placeholder={placeholder}
        value={draft}
        onChange={(e) => {
          onDraft(e.target.value);
          setOpen(true);
          setAt(-1);
        }}
        onFocus={() => setOpen(true)}
        onClick={() => setOpen(true)}
        onBlur={() => setOpen(false)}
        onKeyDown={onKeyDown}
      />
      <div
        id={`${id}-list`}
        role="listbox"
        aria-label={t("filter.suggestions")}
        hidden={!listed}
        className="absolute start-0 top-full z-30 mt-2 max-h-80 w-80 max-w-[calc(100vw-3rem)] overflow-y-auto rounded-lg border border-line bg-surface py-1 shadow-float"
      >
        {suggestions.map((s, i) => (
          // A click must not take the focus from the line.
          <div
            key={s.text}
            id={`${id}-${i}`}
            role="option"
            tabIndex={-1}
            aria-selected={i === at}
            className={classes("flex min-h-7 cursor-default items-center gap-3 px-3", i === at ? "bg-hover" : "hover:bg-hover")}
            onMouseDown={(e) => {
              e.preventDefault();
              choose(s);
            }}
          >
            <code className="min-w-0 flex-1 truncate">{s.label}</code>
            {s.note && <span className="shrink-0 text-xs text-muted">{s.note}</span>}
          </div>
        ))}
      </div>
    </div>
  );
}

function suggest(last: ReturnType<typeof lastWord>, facets: { value: string; requests: number }[]): Suggestion[] {
  if (!last.field) {
    const part = last.word.replace(/^-/, "").toLowerCase();
    const minus = last.word.startsWith("-") ? "-" : "";
    return fields
      .filter((f) => f.name.startsWith(part) && f.name !== "text" && f.name !== "gateway")
      .slice(0, part ? 12 : 14)
      .map((f) => ({ text: `${minus}${f.name}${f.name === "meta" ? "." : ":"}`, label: `${minus}${f.name}:`, note: f.example, whole: false }));
  }
  const head = last.word.slice(0, last.word.length - last.value.length);
  const done = last.value.slice(0, last.value.lastIndexOf(",") + 1);
  const part = last.value.slice(done.length).toLowerCase().replace(/^"/, "");
  const known = new Map<string, string | undefined>();
  for (const f of facets) if (f.value !== "") known.set(f.value, count(f.requests));
  for (const c of last.field.choices ?? []) if (!known.has(c)) known.set(c, undefined);
  const print = (value: string) => printTerm({ field: last.field!.name, op: last.field!.byDefault ?? "eq", values: [hasPatterns(last.field!) ? literal(value) : value] }).slice(last.field!.name.length + 1);
  return [...known]
    .filter(([value]) => value.toLowerCase().includes(part))
    .slice(0, 20)
    .map(([value, note]) => ({ text: head + done + print(value), label: value, note, whole: true }));
}

function useFacets(place: Place, range: string, q: string, field: string, enabled: boolean) {
  const answer = useCall(
    "GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/logs/facets",
    { account: place.account, gateway: place.gateway },
    { field, range, q, limit: 20 },
    { enabled, staleTime: 30_000 },
  );
  // What is kept from the field before is not this one's.
  return enabled && answer.data?.result.field === field ? (answer.data.result.values ?? []) : [];
}

const opWords: Record<Op, Key> = { eq: "filter.is", contains: "filter.contains", lt: "filter.less", lte: "filter.atMost", gt: "filter.more", gte: "filter.atLeast", between: "filter.between" };

/** The relations that a field can have. */
function opsOf(f: Field): Op[] {
  if (f.kind === "text" || f.name === "meta_key") return ["eq", "contains"];
  if (f.kind === "meta") return ["eq", "contains", "gt", "gte", "lt", "lte"];
  if (f.kind === "bool" || f.kind === "age" || f.kind === "id") return ["eq"];
  return ["eq", "gt", "gte", "lt", "lte"];
}

interface ChipProps {
  term: Term;
  place: Place;
  range: string;
  /** The rest of the filter. */
  others: string;
  onChange: (next: Partial<Term> | undefined) => void;
}

function Chip({ term, place, range, others, onChange }: ChipProps) {
  const [open, setOpen] = useState(false);
  const field = fieldOf(term.field)!;
  const name = term.field === "text" ? t("filter.text") : term.key ? `${term.field}.${term.key}` : term.field;
  const text = `${term.not ? "−" : ""}${term.field === "text" && term.op === "contains" ? "" : `${name}: ${sign(term.op, field)}`}${term.values.map((v) => shownValue(term, v) || '""').join(", ")}`;
  return (
    <span className={classes("inline-flex h-6 max-w-full min-w-0 items-center rounded-sm border", term.not ? "border-bad bg-bad-soft" : "border-line bg-sunken")}>
      <Popover
        open={open}
        onOpenChange={setOpen}
        label={t("filter.edit", { what: name })}
        className="w-72"
        trigger={
          <button type="button" className="num min-w-0 truncate px-1.5" title={t("filter.edit", { what: name })}>
            {text}
          </button>
        }
      >
        <ChipEditor
          term={term}
          field={field}
          place={place}
          range={range}
          others={others}
          onDone={(next) => {
            setOpen(false);
            onChange(next);
          }}
        />
      </Popover>
      <button type="button" aria-label={t("filter.remove", { what: text })} className="grid h-full w-6 place-items-center text-muted hover:text-text" onClick={() => onChange(undefined)}>
        <X size={12} aria-hidden />
      </button>
    </span>
  );
}

function ChipEditor({ term, field, place, range, others, onDone }: Omit<ChipProps, "onChange"> & { field: Field; onDone: (next: Partial<Term> | undefined) => void }) {
  const [not, setNot] = useState(term.not ?? false);
  const [op, setOp] = useState<Op>(term.op === "between" ? "eq" : term.op);
  const [text, setText] = useState(() => printTerm({ ...term, not: false, op: field.byDefault ?? "eq" }).replace(/^[\w.]+:/, ""));
  const [problem, setProblem] = useState<FilterError | undefined>();
  const facetField = field.facet ? field.name : term.key ? `meta.${term.key}` : "";
  const facets = useFacets(place, range, others, facetField, facetField !== "");
  const name = term.key ? printTerm({ field: "meta", key: term.key, op: "eq", values: ["x"] }).slice(0, -2) : field.name;
  const values = [...facets.filter((f) => f.value !== "").map((f) => ({ value: f.value, note: count(f.requests) })), ...(field.choices ?? []).filter((c) => !facets.some((f) => f.value === c)).map((value) => ({ value, note: "" }))];
  const read = (): Term | undefined => {
    try {
      return parseFilter(`${not ? "-" : ""}${name}:${op === (field.byDefault ?? "eq") ? "" : op === "eq" ? "=" : sign(op, field)}${text}`)[0];
    } catch (e) {
      setProblem(e as FilterError);
      return undefined;
    }
  };
  const chosen = (() => {
    try {
      return parseFilter(`${name}:${text}`)[0]?.values ?? [];
    } catch {
      return [];
    }
  })();
  const toggle = (value: string) => {
    const pattern = hasPatterns(field) ? literal(value) : value;
    const next = chosen.includes(pattern) ? chosen.filter((v) => v !== pattern) : [...chosen, pattern];
    setText(next.length ? printTerm({ field: field.name, op: field.byDefault ?? "eq", values: next }).slice(field.name.length + 1).replace(/^:/, "") : "");
  };
  return (
    <form
      className="flex flex-col gap-2"
      onSubmit={(e) => {
        e.preventDefault();
        const next = read();
        if (next) onDone({ not: next.not, op: next.op, values: next.values });
      }}
    >
      <div className="flex gap-2">
        <Select aria-label={t("filter.sense")} value={not ? "not" : ""} onChange={(e) => setNot(e.target.value === "not")}>
          <option value="">{t("filter.yes")}</option>
          <option value="not">{t("filter.not")}</option>
        </Select>
        <Select aria-label={t("filter.relation")} value={op} onChange={(e) => setOp(e.target.value as Op)}>
          {opsOf(field).map((o) => (
            <option key={o} value={o}>
              {t(opWords[o])}
            </option>
          ))}
        </Select>
      </div>
      <Input aria-label={t("filter.values")} aria-invalid={problem ? true : undefined} className="num" value={text} spellCheck={false} placeholder={field.example} onChange={(e) => (setText(e.target.value), setProblem(undefined))} />
      {problem && (
        <p role="alert" className="text-xs text-bad">
          {faultText(problem)}
        </p>
      )}
      {values.length > 0 && (
        <ul className="max-h-52 overflow-y-auto rounded-md border border-line py-1">
          {values.map(({ value, note }) => (
            <li key={value}>
              <label className="flex min-h-6 items-center gap-2 px-2 hover:bg-hover">
                <input type="checkbox" className="size-4 shrink-0 accent-accent" checked={chosen.includes(hasPatterns(field) ? literal(value) : value)} onChange={() => toggle(value)} />
                <code className="min-w-0 flex-1 truncate">{value}</code>
                <span className="text-xs text-muted">{note}</span>
              </label>
            </li>
          ))}
        </ul>
      )}
      <div className="flex justify-end gap-2">
        <Button size="sm" look="quiet" onClick={() => onDone(undefined)}>
          {t("filter.removeShort")}
        </Button>
        <Button size="sm" look="primary" type="submit">
          <Plus size={12} aria-hidden />
          {t("filter.apply")}
        </Button>
      </div>
    </form>
  );
}
