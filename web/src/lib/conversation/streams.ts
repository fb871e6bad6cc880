// Streams put together: each reader makes of its events the answer that the same call gives without streaming.
// undefined: the events are not its own.
import { asText, at, list, parse, record, records, text, type Json } from "./json";

export interface Chunk {
  name: string;
  value: unknown;
}

type Assembler = (chunks: Chunk[]) => unknown;

/** Puts a stream together, as the answer that its provider would have given at once. */
export function assemble(chunks: Chunk[]): unknown {
  for (const reader of readers) {
    const whole = reader(chunks);
    if (whole !== undefined) return whole;
  }
  return undefined;
}

const values = (chunks: Chunk[]): Json[] => records(chunks.map((c) => c.value));

function join(before: unknown, more: unknown): unknown {
  return typeof more === "string" ? asText(before) + more : (before ?? more);
}

/** The error that a stream broke off with, whatever its shape. */
function errorIn(all: Json[]): unknown {
  return all.map((v) => v.error).findLast((e) => e !== undefined && e !== null);
}

/** Chat completions, and the older completions. */
const chat: Assembler = (chunks) => {
  const all = values(chunks);
  if (!all.some((v) => Array.isArray(v.choices))) return undefined;
  const choices: { message: Json; text?: string; finish_reason?: unknown }[] = [];
  for (const choice of all.flatMap((v) => records(v.choices))) {
    const into = (choices[Number(choice.index ?? 0)] ??= { message: { role: "assistant" } });
    if (choice.finish_reason) into.finish_reason = choice.finish_reason;
    if (typeof choice.text === "string") into.text = (into.text ?? "") + choice.text;
    addDelta(into.message, record(choice.delta) ?? {});
  }
  return { choices: choices.filter(Boolean), model: all.find((v) => text(v.model))?.model, error: errorIn(all) };
};

function addDelta(message: Json, delta: Json) {
  for (const key of ["reasoning_content", "reasoning", "refusal"]) if (typeof delta[key] === "string") message[key] = join(message[key], delta[key]);
  if (delta.content) message.content = addContent(message.content, delta.content);
  if (delta.annotations) message.annotations = [...list(message.annotations), ...list(delta.annotations)];
  if (delta.citations) message.citations = [...list(message.citations), ...list(delta.citations)];
  if (delta.images) message.images = [...list(message.images), ...list(delta.images)];
  const audio = record(delta.audio);
  if (audio) {
    const before = record(message.audio) ?? {};
    message.audio = { ...before, ...audio, data: join(before.data, audio.data), transcript: join(before.transcript, audio.transcript) };
  }
  const calls = (message.tool_calls ??= []) as Json[];
  for (const [i, more] of records(delta.tool_calls).entries()) {
    const index = Number(more.index ?? calls.length + i);
    const into = (calls[index] ??= { function: {} });
    const before = into.function as Json;
    into.id = text(more.id) ?? into.id;
    into.function = { name: text(at(more, "function", "name")) ?? before.name, arguments: join(before.arguments, at(more, "function", "arguments")) };
  }
  if (calls.length === 0) delete message.tool_calls;
}

/** Content of Mistral is a text or a list of parts, even within one stream: thinking first, then text. */
function addContent(before: unknown, more: unknown): unknown {
  if (typeof before === "string" && typeof more === "string") return before + more;
  if (before === undefined) return more;
  const parts = typeof before === "string" ? [{ type: "text", text: before }] : list(before);
  const added = typeof more === "string" ? [{ type: "text", text: more }] : list(more);
  const last = record(parts.at(-1));
  const next = record(added[0]);
  if (last?.type === "text" && next?.type === "text") return [...parts.slice(0, -1), { type: "text", text: asText(last.text) + asText(next.text) }, ...added.slice(1)];
  if (last?.type === "thinking" && next?.type === "thinking" && Array.isArray(last.thinking)) {
    return [...parts.slice(0, -1), { type: "thinking", thinking: [...last.thinking, ...list(next.thinking)] }, ...added.slice(1)];
  }
  return [...parts, ...added];
}

/** Responses: the last event has it all, unless the stream was cut. */
const responses: Assembler = (chunks) => {
  const all = values(chunks);
  if (!all.some((v) => text(v.type)?.startsWith("response."))) return undefined;
  const whole = record(all.findLast((v) => record(v.response))?.response) ?? {};
  const failure = all.find((v) => v.type === "error");
  if (list(whole.output).length) return whole;
  const output: Json[] = [];
  for (const v of all) {
    const i = Number(v.output_index ?? 0);
    if (v.type === "response.output_item.added" || v.type === "response.output_item.done") output[i] = { ...record(v.item) };
    else addToItem((output[i] ??= {}), v);
  }
  return { ...whole, object: "response", output: output.filter((o) => o && o.type), error: whole.error ?? failure?.error ?? (failure && { message: failure.message, code: failure.code }) };
};

function addToItem(item: Json, v: Json) {
  const grow = (key: "content" | "summary", index: unknown, type: string, field: string) => {
    const parts = [...records(item[key])];
    const before = parts[Number(index ?? 0)];
    parts[Number(index ?? 0)] = { type, ...before, [field]: asText(before?.[field]) + asText(v.delta) };
    item[key] = parts;
  };
  switch (v.type) {
    case "response.output_text.delta":
      return grow("content", v.content_index, "output_text", "text");
    case "response.refusal.delta":
      return grow("content", v.content_index, "refusal", "refusal");
    case "response.reasoning_text.delta":
      return grow("content", v.content_index, "reasoning_text", "text");
    case "response.reasoning_summary_text.delta":
      return grow("summary", v.summary_index, "summary_text", "text");
    case "response.function_call_arguments.delta":
      item.arguments = asText(item.arguments) + asText(v.delta);
  }
}

/** Anthropic's messages. */
const messages: Assembler = (chunks) => {
  const all = values(chunks);
  if (!all.some((v) => v.type === "message_start" || v.type === "content_block_start")) return undefined;
  const message: Json = { type: "message", role: "assistant", ...record(all.find((v) => v.type === "message_start")?.message) };
  const content: Json[] = [];
  const inputs: string[] = [];
  for (const v of all) {
    const i = Number(v.index ?? 0);
    const delta = record(v.delta) ?? {};
    if (v.type === "content_block_start") content[i] = { ...record(v.content_block) };
    else if (v.type === "message_delta") Object.assign(message, delta);
    else if (v.type === "content_block_delta") {
      const block = (content[i] ??= {});
      if (delta.type === "input_json_delta") inputs[i] = (inputs[i] ?? "") + asText(delta.partial_json);
      else if (delta.type === "citations_delta") block.citations = [...list(block.citations), delta.citation];
      else for (const key of ["text", "thinking", "signature"]) if (typeof delta[key] === "string") block[key] = join(block[key], delta[key]);
    }
  }
  inputs.forEach((input, i) => content[i] && (content[i].input = parse(input) ?? input));
  return { ...message, content: content.filter(Boolean), error: errorIn(all) };
};

/** Gemini: each event is an answer with a further piece. */
export const gemini = (all: Json[]): unknown => {
  if (!all.some((v) => Array.isArray(v.candidates) || v.promptFeedback)) return undefined;
  const candidates: Json[] = [];
  for (const c of all.flatMap((v) => records(v.candidates))) {
    const into = (candidates[Number(c.index ?? 0)] ??= { content: { role: "model", parts: [] } });
    for (const key of ["finishReason", "groundingMetadata", "citationMetadata"]) if (c[key] !== undefined) into[key] = c[key];
    const parts = (into.content as Json).parts as Json[];
    for (const part of records(at(c, "content", "parts"))) {
      const last = parts.at(-1);
      if (typeof part.text === "string" && typeof last?.text === "string" && last.thought === part.thought) last.text += part.text;
      else parts.push({ ...part });
    }
  }
  return {
    candidates: candidates.filter(Boolean),
    promptFeedback: all.find((v) => v.promptFeedback)?.promptFeedback,
    modelVersion: all.find((v) => text(v.modelVersion))?.modelVersion,
    error: errorIn(all),
  };
};

/** Amazon's Converse: events are named by their frames. */
const converse: Assembler = (chunks) => {
  if (!chunks.some((c) => c.name.startsWith("contentBlock") || c.name === "messageStart" || c.name === "messageStop" || c.name.endsWith("Exception"))) return undefined;
  const content: Json[] = [];
  const inputs: string[] = [];
  let stopReason: unknown;
  let error: unknown;
  for (const { name, value } of chunks) {
    const v = record(value) ?? {};
    const i = Number(v.contentBlockIndex ?? 0);
    if (name === "contentBlockStart") content[i] = { ...record(v.start) };
    else if (name === "messageStop") stopReason = v.stopReason;
    else if (name.endsWith("Exception")) error = { type: name, message: v.message };
    else if (name === "contentBlockDelta") {
      const block = (content[i] ??= {});
      const delta = record(v.delta) ?? {};
      const words = record(delta.reasoningContent);
      if (typeof delta.text === "string") block.text = join(block.text, delta.text);
      if (record(delta.toolUse)) inputs[i] = (inputs[i] ?? "") + asText(at(delta, "toolUse", "input"));
      if (words) block.reasoningContent = { reasoningText: { text: join(at(block, "reasoningContent", "reasoningText", "text"), words.text) } };
      if (delta.citation) block.citations = [...list(block.citations), delta.citation];
    }
  }
  inputs.forEach((input, i) => record(content[i]?.toolUse) && ((content[i]!.toolUse as Json).input = parse(input) ?? input));
  return { output: { message: { role: "assistant", content: content.filter(Boolean) } }, stopReason, error };
};

/** Cohere's second version: deltas of a message. */
const cohere: Assembler = (chunks) => {
  const all = values(chunks);
  if (!all.some((v) => v.type === "message-start" || v.type === "content-start" || v.type === "tool-call-start")) return undefined;
  const message: Json = { role: "assistant" };
  const content: Json[] = [];
  const calls: Json[] = [];
  const cited: unknown[] = [];
  let finish: unknown;
  for (const v of all) {
    const i = Number(v.index ?? 0);
    const delta = record(at(v, "delta", "message")) ?? {};
    const piece = record(delta.content);
    const call = record(delta.tool_calls);
    if (typeof delta.tool_plan === "string" && v.type === "tool-plan-delta") message.tool_plan = join(message.tool_plan, delta.tool_plan);
    if (v.type === "content-start" && piece) content[i] = { ...piece };
    if (v.type === "content-delta" && piece) for (const key of ["text", "thinking"]) if (typeof piece[key] === "string") (content[i] ??= { type: key })[key] = join(content[i]![key], piece[key]);
    if (v.type === "tool-call-start" && call) calls[i] = { ...call, function: { ...record(call.function) } };
    if (v.type === "tool-call-delta" && calls[i]) {
      const into = calls[i].function as Json;
      into.arguments = join(into.arguments, at(call, "function", "arguments"));
    }
    if (v.type === "citation-start" && delta.citations) cited.push(delta.citations);
    if (v.type === "message-end") finish = at(v, "delta", "finish_reason");
  }
  return { finish_reason: finish, message: { ...message, content: content.filter(Boolean), tool_calls: calls.filter(Boolean), citations: cited }, error: errorIn(all) };
};

/** Cohere's first version: the last event has the whole answer. */
const cohereOld: Assembler = (chunks) => {
  const all = values(chunks);
  if (!all.some((v) => text(v.event_type))) return undefined;
  const end = record(all.findLast((v) => v.event_type === "stream-end")?.response);
  return end ?? { generation_id: "", text: all.filter((v) => v.event_type === "text-generation").map((v) => asText(v.text)).join(""), error: errorIn(all) };
};

/** Ollama's chat: lines with a message each. */
const ollama: Assembler = (chunks) => {
  const all = values(chunks);
  if (!all.some((v) => record(v.message) && v.done !== undefined)) return undefined;
  const message: Json = { role: "assistant" };
  for (const m of all.map((v) => record(v.message) ?? {})) {
    for (const key of ["content", "thinking"]) if (typeof m[key] === "string") message[key] = join(message[key], m[key]);
    if (m.tool_calls) message.tool_calls = [...list(message.tool_calls), ...list(m.tool_calls)];
  }
  return { model: all.find((v) => text(v.model))?.model, message, done: true, done_reason: all.findLast((v) => v.done_reason)?.done_reason, error: errorIn(all) };
};

/** Workers AI, and Ollama's generate: pieces of one text. */
const plain: Assembler = (chunks) => {
  const all = values(chunks);
  if (!all.some((v) => typeof v.response === "string")) return undefined;
  return {
    response: all.map((v) => asText(v.response)).join(""),
    tool_calls: all.flatMap((v) => list(v.tool_calls)),
    done_reason: all.findLast((v) => v.done_reason)?.done_reason,
    error: errorIn(all),
  };
};

/** Text Generation Inference: a token an event. */
const tokens: Assembler = (chunks) => {
  const all = values(chunks);
  if (!all.some((v) => record(v.token))) return undefined;
  const end = all.findLast((v) => typeof v.generated_text === "string");
  const pieces = all.filter((v) => at(v, "token", "special") !== true).map((v) => asText(at(v, "token", "text")));
  return { generated_text: end?.generated_text ?? pieces.join(""), details: end?.details, error: errorIn(all) };
};

/** Replicate's: events named output carry plain text. */
const replicate: Assembler = (chunks) => {
  if (!chunks.some((c) => c.name === "output" || c.name === "done")) return undefined;
  const failure = chunks.find((c) => c.name === "error")?.value;
  return {
    status: failure ? "failed" : "succeeded",
    output: chunks.filter((c) => c.name === "output").map((c) => asText(c.value)),
    error: at(failure, "detail") ?? failure ?? null,
    urls: {},
  };
};

const readers: Assembler[] = [chat, responses, messages, (chunks) => gemini(values(chunks)), converse, cohere, cohereOld, ollama, plain, tokens, replicate];
