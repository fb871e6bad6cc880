import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { splitEvents } from "./events";
import { readConversation, readReply } from "./index";
import type { Conversation, Message, Part } from "./model";

const data = join(import.meta.dirname, "testdata");

interface Fixture {
  file: string;
  endpoint: string;
  kind: "request" | "response" | "error";
  headers: string | null;
  expect: null | {
    text: string | null;
    reasoning_text: string | null;
    tool_calls: { id?: string; name: string; arguments: unknown }[] | null;
    error: unknown;
  };
}

const { fixtures } = JSON.parse(readFileSync(join(data, "manifest.json"), "utf8")) as { fixtures: Fixture[] };

function stored(file: string, type = "") {
  return { bytes: new Uint8Array(readFileSync(join(data, file))), type };
}

function texts(messages: Message[], kind: "text" | "reasoning"): string {
  return messages.flatMap((m) => m.parts.filter((p) => p.kind === kind).map((p) => (p as { text: string }).text)).join("");
}

function partsOfKind<K extends Part["kind"]>(messages: Message[], kind: K): Extract<Part, { kind: K }>[] {
  return messages.flatMap((m) => m.parts).filter((p): p is Extract<Part, { kind: K }> => p.kind === kind);
}

describe("answers of all providers", () => {
  for (const f of fixtures.filter((f) => f.kind === "response" && f.expect && !f.file.startsWith("generic"))) {
    it(f.file, () => {
      const answer = readReply(stored(f.file, f.headers ?? ""));
      expect(answer, "is known").toBeDefined();
      const want = f.expect!;
      if (want.text !== null) expect(texts(answer!.answered, "text")).toBe(want.text);
      if (want.reasoning_text !== null) expect(texts(answer!.answered, "reasoning")).toBe(want.reasoning_text);
      if (want.tool_calls) {
        const calls = partsOfKind(answer!.answered, "call");
        expect(calls.map((c) => ({ name: c.name, args: JSON.parse(c.args || "{}") as unknown }))).toEqual(want.tool_calls.map((c) => ({ name: c.name, args: c.arguments })));
        for (const [i, c] of want.tool_calls.entries()) if (c.id) expect(calls[i]!.id).toBe(c.id);
      }
      if (want.error) expect(partsOfKind(answer!.answered, "error")).toHaveLength(1);
    });
  }
});

describe("errors of all providers", () => {
  for (const f of fixtures.filter((f) => f.kind === "error")) {
    it(f.file, () => {
      const errors = partsOfKind(readReply(stored(f.file, f.headers ?? ""))?.answered ?? [], "error");
      expect(errors).toHaveLength(1);
      expect(errors[0]!.text.length).toBeGreaterThan(3);
    });
  }
});

describe("requests of all providers", () => {
  for (const f of fixtures.filter((f) => f.kind === "request")) {
    it(f.file, () => {
      const read = readConversation(stored(f.file, f.headers ?? "application/json"));
      expect(read, "is known").toBeDefined();
      expect(read!.asked.flatMap((m) => m.parts).filter((p) => p.kind !== "json")).not.toHaveLength(0);
    });
  }
});

it("odd but legal server-sent events", () => {
  const want = JSON.parse(readFileSync(join(data, "generic/sse-edge-cases.expected.json"), "utf8")) as { event: string; data: string }[];
  const { bytes } = stored("generic/sse-edge-cases.sse");
  const events = splitEvents(bytes, "text/event-stream")!;
  // What a browser drops, the event that was cut off at the end, is shown in a log.
  expect(events.map((e) => ({ event: e.name || "message", data: e.data }))).toEqual([...want.map((w) => ({ event: w.event, data: w.data })), { event: "message", data: "{\"unfinished\":true}" }]);
  for (const [i, e] of events.entries()) expect(e.offset + e.size).toBeLessThanOrEqual(events[i + 1]?.offset ?? bytes.length);
});

it("every fixture is in the list", () => {
  const listed = new Set(fixtures.map((f) => f.file));
  const there = readdirSync(data, { recursive: true, withFileTypes: true }).filter((e) => e.isFile()).map((e) => join(e.parentPath, e.name).slice(data.length + 1));
  expect(there.filter((f) => f !== "manifest.json" && f !== "generic/sse-edge-cases.expected.json" && !listed.has(f))).toEqual([]);
});

function json(request: unknown, response?: unknown): Conversation {
  const bytes = (v: unknown) => ({ bytes: new TextEncoder().encode(JSON.stringify(v)), type: "application/json" });
  return readConversation(bytes(request), response === undefined ? undefined : bytes(response))!;
}

describe("calls and their results have one id", () => {
  const pairs: [string, unknown][] = [
    ["OpenAI chat", { messages: [{ role: "user", content: "?" }, { role: "assistant", content: null, tool_calls: [{ id: "c1", type: "function", function: { name: "f", arguments: "{\"a\":1}" } }] }, { role: "tool", tool_call_id: "c1", content: "42" }] }],
    ["OpenAI responses", { input: [{ role: "user", content: "?" }, { type: "function_call", call_id: "c1", name: "f", arguments: "{\"a\":1}" }, { type: "function_call_output", call_id: "c1", output: "42" }] }],
    ["Anthropic", { messages: [{ role: "user", content: "?" }, { role: "assistant", content: [{ type: "tool_use", id: "c1", name: "f", input: { a: 1 } }] }, { role: "user", content: [{ type: "tool_result", tool_use_id: "c1", content: [{ type: "text", text: "42" }] }] }] }],
    ["Gemini", { contents: [{ role: "user", parts: [{ text: "?" }] }, { role: "model", parts: [{ functionCall: { id: "c1", name: "f", args: { a: 1 } } }] }, { role: "user", parts: [{ functionResponse: { id: "c1", name: "f", response: "42" } }] }] }],
    ["Amazon", { messages: [{ role: "user", content: [{ text: "?" }] }, { role: "assistant", content: [{ toolUse: { toolUseId: "c1", name: "f", input: { a: 1 } } }] }, { role: "user", content: [{ toolResult: { toolUseId: "c1", content: [{ text: "42" }] } }] }] }],
  ];
  for (const [name, request] of pairs) {
    it(name, () => {
      const { asked } = json(request);
      expect(asked.map((m) => m.role)).toEqual(["user", "assistant", "tool"]);
      expect(partsOfKind(asked, "call")).toEqual([{ kind: "call", id: "c1", name: "f", args: "{\"a\":1}" }]);
      expect(partsOfKind(asked, "result")[0]).toMatchObject({ id: "c1", parts: [{ kind: "text", text: "42" }] });
    });
  }
});

describe("media", () => {
  it("pictures of all spellings", () => {
    const png = "iVBORw0KGgo=";
    const asked = [
      ...json({ messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: `data:image/png;base64,${png}` } }, { type: "image", source: { type: "base64", media_type: "image/png", data: png } }] }] }).asked,
      ...json({ contents: [{ parts: [{ inlineData: { mimeType: "image/png", data: png } }] }] }).asked,
      ...json({ messages: [{ role: "user", content: [{ image: { format: "png", source: { bytes: png } } }] }] }).asked,
      ...json({ input: [{ role: "user", content: [{ type: "input_image", image_url: `data:image/png;base64,${png}` }] }] }).asked,
      ...json({ messages: [{ role: "user", content: "?", images: [png] }] }).asked,
    ];
    expect(partsOfKind(asked, "media").map((m) => m.url)).toEqual(Array(6).fill(`data:image/png;base64,${png}`));
  });

  it("an answer that is a sound", () => {
    const answer = readReply({ bytes: new Uint8Array([1, 2, 3]), type: "audio/mpeg" })!;
    expect(answer.answered[0]!.parts).toEqual([{ kind: "media", media: "audio", type: "audio/mpeg", url: "data:audio/mpeg;base64,AQID" }]);
  });

  it("a form with a file", () => {
    const body = "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\nContent-Type: audio/wav\r\n\r\nRIFF\r\n--b--\r\n";
    const read = readConversation({ bytes: new TextEncoder().encode(body), type: "multipart/form-data; boundary=b" })!;
    expect(read.asked[0]!.parts).toEqual([{ kind: "text", text: "model: whisper-1" }, { kind: "media", media: "audio", name: "a.wav", type: "audio/wav", url: "data:audio/wav;base64,UklGRg==" }]);
  });
});

it("a universal request shows the step that answered", () => {
  const steps = [{ provider: "a", endpoint: "x", query: { prompt: "one" } }, { provider: "b", endpoint: "x", query: { prompt: "two" } }];
  const bytes = new TextEncoder().encode(JSON.stringify(steps));
  expect(texts(readConversation({ bytes, type: "application/json" }, undefined, 1)!.asked, "text")).toBe("two");
});

it("nothing of what it reads makes it fail", () => {
  const odd: unknown[] = [null, 1, "x", [], {}, [[]], { messages: [null, 1, { role: 5, content: { a: 1 } }] }, { choices: [null, {}] }, { contents: [{}] }, { input: [{}] }, { output: [1] }, { candidates: [{}] }, { tools: [1, {}], prompt: "x" }, { error: [] }, { message: {} }, { data: [{}] }];
  for (const v of odd) expect(() => json(v, v)).not.toThrow();
  for (let n = 0; n < 300; n++) {
    const bytes = Uint8Array.from({ length: n }, (_, i) => (i * 7919 + n * 104729) % 256);
    for (const type of ["text/event-stream", "application/vnd.amazon.eventstream", "application/x-ndjson", "", "multipart/form-data; boundary=b"]) expect(() => readConversation({ bytes, type }, { bytes, type })).not.toThrow();
  }
});
