// Answers of all providers, read as messages. Each reader knows one shape; undefined: it is not its own.
import { asText, at, list, record, records, text, type Json } from "./json";
import type { Conversation, Message, Part } from "./model";
import { citations, partsOf, toolCalls } from "./parts";

export type Answer = Pick<Conversation, "answered" | "finish" | "model">;

type Reader = (body: Json) => Answer | undefined;

function assistant(parts: Part[], finish?: unknown, model?: unknown): Answer {
  return { answered: parts.length ? [{ role: "assistant", parts }] : [], finish: text(finish), model: text(model) };
}

/** Reads an answer; undefined: no shape that is known. */
export function readAnswer(body: unknown): Answer | undefined {
  const whole = record(body);
  if (!whole) return readList(list(body));
  // Workers AI wraps what it answers.
  if (record(whole.result) && typeof whole.success === "boolean") return whole.success ? readAnswer(whole.result) : assistant(failure(whole));
  for (const reader of readers) {
    const answer = reader(whole);
    if (!answer) continue;
    const failed = failure(whole);
    if (failed.length) answer.answered = [...answer.answered, { role: "assistant", parts: failed }];
    return answer;
  }
  const failed = failure(whole);
  return failed.length ? assistant(failed) : undefined;
}

/** Lists: Hugging Face's texts and vectors, and Gemini's errors. */
function readList(all: unknown[]): Answer | undefined {
  if (records(all).some((v) => typeof v.generated_text === "string")) return assistant(records(all).flatMap((v) => partsOf(v.generated_text)));
  if (all.length && all.every((v) => typeof v === "number" || Array.isArray(v))) return assistant([vectors(typeof all[0] === "number" ? [all] : all)]);
  return all.length === 1 && record(all[0]) ? readAnswer(all[0]) : undefined;
}

const chat: Reader = (b) => {
  if (!Array.isArray(b.choices)) return undefined;
  const answered = records(b.choices).map((c): Message => ({ role: "assistant", parts: record(c.message) ? chatParts(record(c.message)!) : partsOf(c.text) }));
  return { answered: answered.filter((m) => m.parts.length), finish: text(at(b, "choices", 0, "finish_reason")), model: text(b.model) };
};

/** The parts of a message in OpenAI's shape, with what others have added to it. */
export function chatParts(m: Json): Part[] {
  const reasoning = text(m.reasoning_content) ?? text(m.reasoning) ?? text(m.thinking);
  const audio = record(m.audio);
  return [
    ...(reasoning ? [{ kind: "reasoning" as const, text: reasoning }] : []),
    ...(text(m.tool_plan) ? [{ kind: "reasoning" as const, text: text(m.tool_plan)! }] : []),
    ...partsOf(m.content),
    ...(text(m.refusal) ? [{ kind: "refusal" as const, text: text(m.refusal)! }] : []),
    ...partsOf(m.images),
    ...(audio ? [{ kind: "media" as const, media: "audio" as const, url: text(audio.data) && `data:audio/wav;base64,${text(audio.data)}`, name: text(audio.transcript) ?? text(audio.id) }] : []),
    ...toolCalls(m.tool_calls),
    ...(record(m.function_call) ? toolCalls([{ function: m.function_call }]) : []),
    ...citations(m.annotations),
    ...citations(m.citations),
  ];
}

const responses: Reader = (b) => {
  if (b.object !== "response" && !records(b.output).some((o) => o.type === "message" || o.type === "function_call")) return undefined;
  const parts = records(b.output).flatMap((item) => partsOf(item.type === "message" ? item.content : item));
  return assistant(parts, at(b, "incomplete_details", "reason") ?? b.status, b.model);
};

const anthropic: Reader = (b) => {
  if (b.type !== "message" || !Array.isArray(b.content)) return undefined;
  const parts = partsOf(b.content);
  if (b.stop_reason === "refusal") parts.push({ kind: "refusal", text: text(at(b, "stop_details", "explanation")) ?? "" });
  return assistant(parts, b.stop_reason, b.model);
};

const gemini: Reader = (b) => {
  if (!Array.isArray(b.candidates) && !b.promptFeedback) return undefined;
  const answered = records(b.candidates).map((c): Message => ({
    role: "assistant",
    parts: [...partsOf(at(c, "content", "parts")), ...records(at(c, "groundingMetadata", "groundingChunks")).flatMap((g) => citations([record(g.web) ?? {}]))],
  }));
  const blocked = text(at(b, "promptFeedback", "blockReason"));
  if (blocked) answered.push({ role: "assistant", parts: [{ kind: "refusal", text: blocked }] });
  return { answered: answered.filter((m) => m.parts.length), finish: text(at(b, "candidates", 0, "finishReason")) ?? blocked, model: text(b.modelVersion) };
};

const converse: Reader = (b) => (record(at(b, "output", "message")) ? assistant(partsOf(at(b, "output", "message", "content")), b.stopReason) : undefined);

/** Cohere's second version and Ollama's chat: one message. */
const single: Reader = (b) => (record(b.message) && (b.done !== undefined || b.finish_reason !== undefined || at(b, "message", "role") !== undefined) ? assistant(chatParts(record(b.message)!), b.finish_reason ?? b.done_reason, b.model) : undefined);

const cohereOld: Reader = (b) => (typeof b.text === "string" && b.generation_id !== undefined ? assistant([...partsOf(b.text), ...toolCalls(b.tool_calls), ...citations(b.citations)], b.finish_reason) : undefined);

const plain: Reader = (b) => ("response" in b && (typeof b.response === "string" || b.response === null || "tool_calls" in b) ? assistant([...partsOf(b.response), ...toolCalls(b.tool_calls)], b.done_reason, b.model) : undefined);

const generated: Reader = (b) => (typeof b.generated_text === "string" ? assistant(partsOf(b.generated_text), at(b, "details", "finish_reason")) : undefined);

const replicate: Reader = (b) => {
  if (!record(b.urls) || typeof b.status !== "string") return undefined;
  const output = Array.isArray(b.output) ? b.output : b.output === null || b.output === undefined ? [] : [b.output];
  const files = output.length > 0 && output.every((o) => typeof o === "string" && /^(https|data):/.test(o));
  const parts: Part[] = files
    ? output.map((o) => ({ kind: "media", media: /\.(mp4|webm|mov)(\?|$)/.test(asText(o)) ? "video" : /\.(mp3|wav|ogg|flac)(\?|$)/.test(asText(o)) ? "audio" : "image", url: asText(o) }))
    : output.every((o) => typeof o === "string")
      ? partsOf(output.join(""))
      : partsOf(output);
  return assistant(parts, b.status, b.model ?? b.version);
};

/** Pictures, sounds written down, and what is counted rather than read. */
const media: Reader = (b) => {
  const data = records(b.data);
  if (data.some((d) => d.b64_json !== undefined || d.url !== undefined)) {
    return assistant(data.flatMap((d): Part[] => [{ kind: "media", media: "image", url: text(d.b64_json) ? `data:image/${text(b.output_format) ?? "png"};base64,${text(d.b64_json)}` : text(d.url) }, ...partsOf(d.revised_prompt)]));
  }
  if (typeof b.image === "string") return assistant([{ kind: "media", media: "image", url: `data:image/jpeg;base64,${b.image}` }]);
  const only = ["text", "usage", "language", "duration", "task", "segments", "words", "logprobs", "word_count", "vtt", "x_groq"];
  return typeof b.text === "string" && Object.keys(b).every((k) => only.includes(k)) ? assistant(partsOf(b.text)) : undefined;
};

const numbers: Reader = (b) => {
  const found =
    records(b.data).some((d) => d.embedding !== undefined) ? records(b.data).map((d) => d.embedding)
    : record(b.embedding) ? [at(b, "embedding", "values")]
    : Array.isArray(b.embedding) ? [b.embedding]
    : records(b.embeddings).length ? records(b.embeddings).map((e) => e.values)
    : Array.isArray(b.embeddings) ? b.embeddings
    : record(b.embeddings) ? list(Object.values(record(b.embeddings)!)[0])
    : Array.isArray(b.shape) ? list(b.data)
    : undefined;
  return found && assistant([vectors(found)], undefined, b.model);
};

const rankings: Reader = (b) => {
  const rows = records(b.results).filter((r) => typeof r.relevance_score === "number");
  if (rows.length) return assistant([{ kind: "ranking", rows: rows.map((r) => ({ index: Number(r.index), score: Number(r.relevance_score), text: text(at(r, "document", "text")) })) }]);
  return records(b.results).some((r) => r.categories !== undefined) ? assistant([{ kind: "json", value: b.results }], undefined, b.model) : undefined;
};

const readers: Reader[] = [chat, responses, anthropic, gemini, converse, single, cohereOld, plain, generated, replicate, media, numbers, rankings];

function vectors(all: unknown[]): Part {
  return { kind: "vectors", count: all.length, dimensions: Array.isArray(all[0]) ? all[0].length : undefined };
}

/** What an answer says went wrong, in any of the shapes that providers have for it. */
function failure(b: Json): Part[] {
  const e = b.error ?? (b.type === "error" || b.object === "error" ? b : undefined) ?? list(b.errors)[0];
  const inner = record(e);
  if (inner) {
    const words = text(inner.message) ?? text(inner.detail) ?? (inner.message === undefined ? undefined : JSON.stringify(inner.message));
    return [{ kind: "error", text: words ?? JSON.stringify(inner), code: text(inner.code) ?? text(inner.status) ?? text(inner.type) ?? (typeof inner.code === "number" ? String(inner.code) : undefined) }];
  }
  if (typeof e === "string") return [{ kind: "error", text: e, code: text(b.error_type) ?? text(b.error_code) }];
  // Amazon, Cohere, Replicate and Mistral say it without a shell.
  const words = text(b.message) ?? text(b.detail) ?? text(b.Message);
  return words && !b.choices ? [{ kind: "error", text: words.trim(), code: text(b.title) }] : [];
}
