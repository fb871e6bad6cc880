// The filter language of the log, as internal/reqlog reads and writes it: the tests of both read the same file. Here a
// term also knows where it stands in the text, and what is wrong is said with its place.

export type Op = "eq" | "contains" | "lt" | "lte" | "gt" | "gte" | "between";

export interface Term {
  field: string;
  /** Of the field meta: the metadata key. */
  key?: string;
  op: Op;
  /** Any of them is enough. Those of texts are patterns: * stands for any text, \* for a star. */
  values: string[];
  not?: boolean;
  /** Where it stands in the text that it was read from. */
  from: number;
  to: number;
}

type Kind = "text" | "number" | "duration" | "money" | "time" | "bool" | "status" | "id" | "meta" | "age";

export interface Field {
  name: string;
  aliases?: string[];
  kind: Kind;
  /** The relation that stands when none is written; "eq" when left out. */
  byDefault?: Op;
  example: string;
  /** The API can count its values (logs/facets). */
  facet?: boolean;
  /** All values that there are. */
  choices?: string[];
}

const statusWords = ["ok", "error", "cached", "cancelled", "rate_limited", "blocked", "client_error", "provider_error", "in_flight"];
const endings = ["complete", "refused", "unreachable", "timeout", "cut", "stalled", "error_event", "client_gone", "client_slow", "shutdown", "crashed", "panic", "in_flight"];
const yesNo = ["yes", "no"];

/** All fields, those first that are asked for most. */
export const fields: Field[] = [
  { name: "status", kind: "status", example: "status:error,429", facet: true, choices: statusWords },
  { name: "provider", kind: "text", example: "provider:openai,anthropic", facet: true },
  { name: "model", kind: "text", example: "-model:gpt-*", facet: true },
  { name: "cost", kind: "money", example: "cost:>0.01" },
  { name: "duration", aliases: ["dur"], kind: "duration", example: "duration:>2s" },
  { name: "ttft", aliases: ["first_token"], kind: "duration", example: "ttft:>1s" },
  { name: "cached", kind: "bool", example: "cached:yes", choices: yesNo },
  { name: "key", kind: "text", example: "key:ci", facet: true },
  { name: "meta", aliases: ["metadata", "metadata.value"], kind: "meta", example: "meta.user_id:42" },
  { name: "tokens", aliases: ["total_tokens"], kind: "number", example: "tokens:>10k" },
  { name: "tokens_in", kind: "number", example: "tokens_in:1000..5000" },
  { name: "tokens_out", kind: "number", example: "tokens_out:<=16" },
  { name: "attempts", kind: "number", example: "attempts:>1", facet: true },
  { name: "stream", aliases: ["streamed"], kind: "bool", example: "stream:yes", choices: yesNo },
  { name: "error_type", kind: "text", example: "error_type:dial", facet: true },
  { name: "error", kind: "text", byDefault: "contains", example: 'error:"context length"' },
  { name: "ending", kind: "text", example: "ending:cut", facet: true, choices: endings },
  { name: "success", kind: "bool", example: "success:no", choices: yesNo },
  { name: "feedback", kind: "number", example: "feedback:-1", choices: ["1", "-1", "none"] },
  { name: "served", kind: "text", example: "served:gpt-4.1-2025-04-14", facet: true },
  { name: "endpoint", kind: "text", example: "endpoint:chat/completions", facet: true },
  { name: "type", kind: "text", example: "type:universal", facet: true },
  { name: "ua", kind: "text", byDefault: "contains", example: "ua:openai-python", facet: true },
  { name: "finish", kind: "text", example: "finish:length" },
  { name: "cache", kind: "text", example: "cache:miss", facet: true, choices: ["hit", "miss", "off"] },
  { name: "basis", kind: "text", example: "basis:estimated", facet: true, choices: ["provider", "estimated", "partial", "cached", "none"] },
  { name: "path", kind: "text", example: "path:*/files/*" },
  { name: "method", kind: "text", example: "method:POST" },
  { name: "event_id", kind: "text", example: "event_id:order-77" },
  { name: "trace_id", kind: "text", example: "trace_id:4bf92f35*" },
  { name: "request_content_type", kind: "text", example: "request_content_type:multipart/*", facet: true },
  { name: "response_content_type", kind: "text", example: "response_content_type:text/event-stream", facet: true },
  { name: "created_at", aliases: ["time"], kind: "time", example: "created_at:>=2026-11-24T14:00" },
  { name: "range", aliases: ["last"], kind: "age", example: "range:30d" },
  { name: "id", kind: "id", example: "id:019a7b3e-5f2c-7d10-8a4e-0123456789c0" },
  { name: "meta_key", aliases: ["metadata.key"], kind: "meta", example: "meta_key:user_id" },
  { name: "gateway", kind: "text", example: "gateway:default" },
  { name: "text", kind: "text", byDefault: "contains", example: '"rate limit"' },
];

const byName = new Map(fields.flatMap((f) => [f.name, ...(f.aliases ?? [])].map((n) => [n, f] as const)));

export function fieldOf(name: string): Field | undefined {
  return byName.get(name.toLowerCase());
}

/** Whether a field's values are patterns. */
export function hasPatterns(f: Field): boolean {
  return f.kind === "text" || f.kind === "meta";
}

/** What is wrong: messages.filter has a text for each. */
export type Fault = "tooLong" | "notText" | "unknownField" | "noValue" | "spaceMissing" | "quoteOpen" | "backslashEnd" | "onlyEqual" | "noOrder" | "severalValues" | "badValue" | "tooMany";

export class FilterError extends Error {
  constructor(
    readonly fault: Fault,
    /** Where in the text the fault begins and ends. */
    readonly from: number,
    readonly to: number,
    /** What the message names: a field, a value. */
    readonly what = "",
    /** A filter that would be right. */
    readonly example = "",
  ) {
    super(`${fault}: ${what}`);
  }
}

const maxBytes = 8 << 10;
const maxTerms = 64;
const maxValues = 512;
const space = /[ \t\r\n]/;

/** Reads a filter, or throws a FilterError. */
export function parseFilter(text: string): Term[] {
  if (new TextEncoder().encode(text).length > maxBytes) throw new FilterError("tooLong", 0, text.length);
  if (text.includes("\0") || /\p{Surrogate}/u.test(text)) throw new FilterError("notText", 0, text.length);
  const reader = new Reader(text);
  const terms: Term[] = [];
  let values = 0;
  for (reader.skipSpace(); !reader.done; reader.skipSpace()) {
    const term = reader.term();
    values += term.values.length;
    if (terms.push(term) > maxTerms || values > maxValues) throw new FilterError("tooMany", term.from, term.to);
  }
  return terms;
}

class Reader {
  private at = 0;
  constructor(private readonly text: string) {}

  get done(): boolean {
    return this.at >= this.text.length;
  }

  private get next(): string {
    return this.text[this.at] ?? "";
  }

  skipSpace() {
    while (!this.done && space.test(this.next)) this.at++;
  }

  private take(sign: string): boolean {
    const found = this.text.startsWith(sign, this.at);
    if (found) this.at += sign.length;
    return found;
  }

  term(): Term {
    const from = this.at;
    const second = this.text[from + 1];
    const not = second !== undefined && !space.test(second) && this.take("-");
    const nameAt = this.at;
    const name = this.name();
    const term: Term = { field: "text", op: "contains", values: [], from, to: from };
    if (name === undefined) {
      this.values(term, true);
    } else {
      const field = this.field(name, term, nameAt);
      term.field = field.name;
      term.op = field.byDefault ?? "eq";
      this.valuesOf(field, term);
      check(field, term, this.at);
    }
    if (not) term.not = true;
    term.to = this.at;
    return term;
  }

  private field(name: string, term: Term, nameAt: number): Field {
    const lower = name.toLowerCase();
    if (lower !== "metadata.key" && lower !== "metadata.value") {
      const prefix = ["meta.", "metadata."].find((p) => lower.startsWith(p) && lower.length > p.length);
      if (prefix) {
        term.key = name.slice(prefix.length);
        return fieldOf("meta")!;
      }
    }
    const field = fieldOf(name);
    if (!field) throw new FilterError("unknownField", nameAt, this.at, name, nearest(lower));
    return field;
  }

  /** A field's name and its colon, if that is what stands next. A metadata key may be quoted. */
  private name(): string | undefined {
    let name = "";
    for (let i = this.at; i < this.text.length; i++) {
      const c = this.text[i]!;
      if (c === ":") {
        this.at = i + 1;
        return name || undefined;
      }
      if (c === '"' && name && this.text[i - 1] === ".") {
        const quoted = unquote(this.text, i);
        if (!quoted) return undefined;
        name += quoted.value;
        i = quoted.end - 1;
      } else if (c === '"' || c === "," || c === "\\" || space.test(c)) {
        return undefined;
      } else {
        name += c;
      }
    }
    return undefined;
  }

  private valuesOf(field: Field, term: Term) {
    const relations: [string, Op][] = [[">=", "gte"], ["<=", "lte"], [">", "gt"], ["<", "lt"], ["~", "contains"], ["=", "eq"]];
    const relation = relations.find(([sign]) => this.take(sign));
    if (relation) term.op = relation[1];
    const from = this.at;
    this.values(term, hasPatterns(field));
    if (term.values.length !== 1) {
      if (term.op !== "eq" && term.op !== "contains") throw new FilterError("severalValues", term.from, this.at, field.name, field.example);
      return;
    }
    const value = term.values[0]!;
    const dots = value.indexOf("..");
    if (dots < 0 || hasPatterns(field) || term.op !== "eq") return;
    const low = value.slice(0, dots);
    const high = value.slice(dots + 2);
    if (!low && !high) throw new FilterError("badValue", from, this.at, value, field.example);
    term.op = low && high ? "between" : low ? "gte" : "lte";
    if (!low || !high) term.values = [low || high];
  }

  private values(term: Term, patterns: boolean) {
    do {
      const from = this.at;
      const { text, quoted } = this.value(patterns);
      if (text === "" && !quoted) throw new FilterError("noValue", from, Math.max(this.at, from), "", '""');
      term.values.push(text);
    } while (this.take(","));
    if (!this.done && !space.test(this.next)) throw new FilterError("spaceMissing", this.at, this.text.length, this.text.slice(this.at, this.at + 20));
  }

  private value(patterns: boolean): { text: string; quoted: boolean } {
    if (this.next === '"') {
      const quoted = unquote(this.text, this.at);
      if (!quoted) throw new FilterError("quoteOpen", this.at, this.text.length);
      this.at = quoted.end;
      return { text: patterns ? literal(quoted.value) : quoted.value, quoted: true };
    }
    let text = "";
    for (; !this.done && this.next !== "," && !space.test(this.next); this.at++) {
      let c = this.next;
      if (c === "\\") {
        this.at++;
        if (this.done) throw new FilterError("backslashEnd", this.at - 1, this.at, "", "\\\\");
        c = this.next;
        if (patterns && (c === "*" || c === "\\")) text += "\\";
      }
      text += c;
    }
    return { text, quoted: false };
  }
}

function unquote(text: string, at: number): { value: string; end: number } | undefined {
  let value = "";
  for (let i = at + 1; i < text.length; i++) {
    const c = text[i]!;
    if (c === "\\" && i + 1 < text.length) value += text[++i];
    else if (c === '"') return { value, end: i + 1 };
    else value += c;
  }
  return undefined;
}

/** The pattern that stands for this text and nothing else. */
export function literal(text: string): string {
  return text.replace(/[\\*]/g, "\\$&");
}

/** Refuses values that the field cannot have. */
function check(f: Field, term: Term, end: number) {
  const bad = (fault: Fault, what: string) => new FilterError(fault, term.from, end, what, f.example);
  const { op } = term;
  const isOrder = op !== "eq" && op !== "contains";
  if (f.kind === "text" && isOrder) throw bad("noOrder", f.name);
  if (f.kind === "id" && op !== "eq") throw bad("onlyEqual", f.name);
  if (f.kind !== "text" && f.kind !== "meta" && op === "contains") throw bad("onlyEqual", f.name);
  if (f.name === "meta_key" && isOrder) throw bad("noOrder", f.name);
  if ((f.kind === "bool" || f.kind === "age") && op !== "eq") throw bad("noOrder", f.name);
  if (f.kind === "text" || (f.kind === "meta" && !isOrder)) return;
  for (const value of term.values) {
    const parts = op === "between" ? cut(value) : [value];
    if (!parts.every((v) => fits(f.kind, v, op))) throw bad("badValue", value);
  }
}

function cut(value: string): string[] {
  const dots = value.indexOf("..");
  return [value.slice(0, dots), value.slice(dots + 2)];
}

const number = { k: 1e3, m: 1e6, "": 1 };
const durations = { ns: 1e-3, us: 1, µs: 1, ms: 1e3, "": 1e3, s: 1e6, m: 6e7, h: 3.6e9, d: 8.64e10 };
const ages = { s: 1e3, m: 6e4, h: 3.6e6, d: 8.64e7, w: 6.048e8 };

function fits(kind: Kind, value: string, op: Op): boolean {
  if (op === "eq" && value === "none" && kind !== "bool" && kind !== "time" && kind !== "age" && kind !== "id") return true;
  switch (kind) {
    case "bool":
      return /^(yes|true|1|on|no|false|0|off)$/i.test(value);
    case "time":
      return isTime(value);
    case "age":
      return (scaled(value, ages) ?? 0) > 0;
    case "duration":
      return scaled(value, durations) !== undefined;
    case "money":
      return scaled(value.replace(/^\$/, ""), { "": 1e9 }) !== undefined;
    case "meta":
      return scaled(value, { k: 1e9, m: 1e12, "": 1e6 }) !== undefined;
    case "status":
      if (op === "eq" && (/^[1-5]xx$/i.test(value) || statusWords.includes(value.toLowerCase()) || value.toLowerCase() === "canceled")) return true;
      return scaled(value, number) !== undefined;
    case "id":
      return /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i.test(value);
    default:
      return scaled(value, number) !== undefined;
  }
}

function scaled(value: string, units: Record<string, number>): number | undefined {
  const parts = /^([+-]?(?:\d+\.?\d*|\.\d+))([a-zµ]*)$/.exec(value.toLowerCase());
  const unit = parts && units[parts[2]!];
  if (!unit || parts[1]!.length > 40) return undefined;
  const n = Number(parts[1]) * unit;
  return Math.abs(n) > 2 ** 62 ? undefined : n;
}

function isTime(value: string): boolean {
  const parts = /^(\d{4})-(\d\d)-(\d\d)(?:T(\d\d)(?::(\d\d)(?::(\d\d)(?:[.,]\d+)?(Z|[+-]\d\d:\d\d)?)?)?)?$/.exec(value);
  if (!parts) return false;
  const [year, month, day, hour, minute, second] = parts.slice(1, 7).map((p) => Number(p ?? 0)) as [number, number, number, number, number, number];
  const date = new Date(Date.UTC(year, month - 1, day));
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day && hour < 24 && minute < 60 && second < 60;
}

/** The field that a name was probably meant to be, or "". */
function nearest(name: string): string {
  let best = "";
  let least = 3;
  for (const known of byName.keys()) {
    const d = distance(name, known);
    if (d < least && d < known.length) [best, least] = [known, d];
  }
  return best;
}

function distance(a: string, b: string): number {
  if (a.length > 40) return a.length;
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++) next.push(Math.min(row[j]! + (a[i] === b[j] ? 0 : 1), row[j + 1]! + 1, next[j]! + 1));
    row = next;
  }
  return row[b.length]!;
}

/** Writes terms so that parseFilter reads the same. */
export function printFilter(terms: Pick<Term, "field" | "key" | "op" | "values" | "not">[]): string {
  return terms.map(printTerm).join(" ");
}

export function printTerm(term: Pick<Term, "field" | "key" | "op" | "values" | "not">): string {
  const field = fieldOf(term.field)!;
  const plain = field.name === "text" && term.op === "contains";
  const name = plain ? "" : `${field.name}${term.key ? `.${/^[A-Za-z0-9_-]+$/.test(term.key) ? term.key : quote(term.key)}` : ""}:${sign(term.op, field)}`;
  const values = term.values.map((v) => (hasPatterns(field) ? printPattern(v, plain) : bare(v) ? v : quote(v)));
  return (term.not ? "-" : "") + name + values.join(",");
}

/** What stands before the values. */
export function sign(op: Op, field: Field): string {
  const order: Partial<Record<Op, string>> = { gt: ">", gte: ">=", lt: "<", lte: "<=" };
  if (order[op]) return order[op];
  if (op === (field.byDefault ?? "eq") || op === "between") return "";
  return op === "contains" ? "~" : "=";
}

function bare(text: string): boolean {
  return text !== "" && !/[ \t\r\n",\\]/.test(text) && !/^[<>=~-]/.test(text);
}

function quote(text: string): string {
  return `"${text.replace(/[\\"]/g, "\\$&")}"`;
}

function printPattern(pattern: string, plain: boolean): string {
  const text = unpattern(pattern);
  if (text !== undefined) return !plain && bare(text) && !text.includes("*") ? text : quote(text);
  let out = "";
  for (let i = 0; i < pattern.length; i++) {
    let c = pattern[i]!;
    if (c === "\\" && i + 1 < pattern.length) {
      out += c;
      c = pattern[++i]!;
    } else if (/[ \t\r\n",:]/.test(c) || (i === 0 && /[<>=~-]/.test(c))) {
      out += "\\";
    }
    out += c;
  }
  return out;
}

/** The text that a pattern stands for, unless it has stars. */
function unpattern(pattern: string): string | undefined {
  let text = "";
  for (let i = 0; i < pattern.length; i++) {
    if (pattern[i] === "*") return undefined;
    if (pattern[i] === "\\" && i + 1 < pattern.length) i++;
    text += pattern[i];
  }
  return text;
}

/** A value as people read it: without the signs that the language needs. */
export function shownValue(term: Pick<Term, "field">, value: string): string {
  const field = fieldOf(term.field);
  return field && hasPatterns(field) ? (unpattern(value) ?? value) : value;
}
