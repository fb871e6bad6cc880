// Streams cut into events: server-sent events, lines of JSON, JSON arrays, and the binary frames of Amazon.
import { list, parse, record, text } from "./json";

export interface StreamEvent {
  /** Bytes before it, and its own. */
  offset: number;
  size: number;
  /** Its name, where the framing has one. */
  name: string;
  data: string;
}

const utf8 = new TextDecoder();

/** Cuts a body into events; undefined: it is no stream. */
export function splitEvents(body: Uint8Array, type: string): StreamEvent[] | undefined {
  const media = type.split(";")[0]!.trim().toLowerCase();
  if (media === "text/event-stream") return sse(body);
  if (media === "application/vnd.amazon.eventstream") return frames(body);
  if (media.includes("ndjson") || media.includes("jsonl") || media === "application/stream+json") return lines(body);
  const head = utf8.decode(body.subarray(0, 64)).trimStart();
  if (/^(data|event|id|retry)?:/.test(head)) return sse(body);
  if (!head.startsWith("{") || parse(utf8.decode(body)) !== undefined) return undefined;
  const cut = lines(body);
  return cut.length > 1 && cut.every((e, i) => i === cut.length - 1 || parse(e.data) !== undefined) ? cut : undefined;
}

/** Where each line begins and ends, without its line end. */
function* lineBounds(body: Uint8Array): Generator<[from: number, to: number, next: number]> {
  for (let from = 0; from < body.length; ) {
    let to = from;
    while (to < body.length && body[to] !== 10 && body[to] !== 13) to++;
    const next = to + (body[to] === 13 && body[to + 1] === 10 ? 2 : 1);
    yield [from, to, next];
    from = next;
  }
}

function sse(body: Uint8Array): StreamEvent[] {
  const events: StreamEvent[] = [];
  let start = 0;
  let name = "";
  let data: string[] = [];
  const flush = (end: number) => {
    if (data.length) events.push({ offset: start, size: end - start, name, data: data.join("\n") });
    start = end;
    name = "";
    data = [];
  };
  for (const [from, to, next] of lineBounds(body)) {
    if (from === to) {
      flush(Math.min(next, body.length));
      continue;
    }
    let line = utf8.decode(body.subarray(from, to));
    if (from === 0) line = line.replace(/^\uFEFF/, "");
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") data.push(value);
    else if (field === "event") name = value;
  }
  flush(body.length); // a stream that was cut: what there is of the last event is shown, too
  return events;
}

function lines(body: Uint8Array): StreamEvent[] {
  const events: StreamEvent[] = [];
  for (const [from, to, next] of lineBounds(body)) {
    const data = utf8.decode(body.subarray(from, to)).trim();
    if (data) events.push({ offset: from, size: Math.min(next, body.length) - from, name: "", data });
  }
  return events;
}

/** vnd.amazon.eventstream: lengths, header fields, payload, and sums that a reader of a log need not check. */
function frames(body: Uint8Array): StreamEvent[] {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const events: StreamEvent[] = [];
  for (let at = 0; at + 16 <= body.length; ) {
    const size = view.getUint32(at);
    const headers = view.getUint32(at + 4);
    if (size < 16 + headers || at + size > body.length) break;
    const fields = frameFields(body.subarray(at + 12, at + 12 + headers));
    events.push({
      offset: at,
      size,
      name: fields[":event-type"] ?? fields[":exception-type"] ?? fields[":error-code"] ?? "",
      data: utf8.decode(body.subarray(at + 12 + headers, at + size - 4)),
    });
    at += size;
  }
  return events;
}

/** Lengths of header values by their type; 6 and 7 (bytes, text) say their own. */
const valueSizes: Record<number, number> = { 0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16 };

function frameFields(bytes: Uint8Array): Record<string, string> {
  const fields: Record<string, string> = {};
  for (let i = 0; i < bytes.length; ) {
    const name = utf8.decode(bytes.subarray(i + 1, i + 1 + bytes[i]!));
    i += 1 + bytes[i]!;
    const type = bytes[i++];
    let size = valueSizes[type ?? -1];
    if (size === undefined) {
      size = ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0);
      i += 2;
    }
    if (type === 7) fields[name] = utf8.decode(bytes.subarray(i, i + size));
    i += size;
  }
  return fields;
}

/** An event's data as JSON. Amazon wraps the events of a model in base64; a text that is no JSON stays one. */
export function eventValue(event: StreamEvent): unknown {
  const value = parse(event.data);
  const inner = text(record(value)?.bytes);
  if (inner === undefined || Object.keys(record(value)!).some((k) => k !== "bytes" && k !== "p")) return value ?? event.data;
  try {
    return parse(utf8.decode(Uint8Array.from(atob(inner), (c) => c.charCodeAt(0)))) ?? value;
  } catch {
    return value;
  }
}

/** A stream that came as one JSON array, as Gemini's without alt=sse. */
export function arrayValues(value: unknown): unknown[] | undefined {
  const all = list(value);
  return all.length && all.every((v) => record(v)?.candidates !== undefined || record(v)?.error !== undefined || record(v)?.promptFeedback !== undefined) ? all : undefined;
}
