// Messages of any provider as those of a chat completion, which every provider can be asked with: tool calls, their
// results and media go along. What only one provider understands, its reasoning and its citations, stays behind.
import { record, type Json } from "./json";
import type { Message, Part, Tool } from "./model";

export function chatMessages(messages: Message[]): Json[] {
  return messages.flatMap(chatMessage);
}

function chatMessage(m: Message): Json[] {
  const results = m.parts.flatMap((p) => (p.kind === "result" ? [{ role: "tool", tool_call_id: p.id || p.name || "call", content: words(p.parts) }] : []));
  const calls = m.parts.flatMap((p) => (p.kind === "call" ? [{ id: p.id || p.name, type: "function", function: { name: p.name, arguments: p.args || "{}" } }] : []));
  const content = contentOf(m.parts);
  const role = m.role === "tool" ? "user" : m.role;
  const own: Json[] = content !== undefined || calls.length ? [{ role, content: content ?? null, ...(calls.length ? { tool_calls: calls } : {}) }] : [];
  return [...results, ...own];
}

/** A text where there is nothing else, else a list of parts. */
function contentOf(parts: Part[]): unknown {
  const all = parts.flatMap(contentPart);
  if (!all.length) return undefined;
  return all.every((p) => p.type === "text") ? all.map((p) => p.text as string).join("\n\n") : all;
}

function contentPart(p: Part): Json[] {
  switch (p.kind) {
    case "text":
    case "refusal":
      return p.text ? [{ type: "text", text: p.text }] : [];
    case "json":
      return [{ type: "text", text: JSON.stringify(p.value) }];
    case "media":
      if (!p.url) return [];
      if (p.media === "image") return [{ type: "image_url", image_url: { url: p.url } }];
      if (p.media === "audio") return [{ type: "input_audio", input_audio: { data: p.url.slice(p.url.indexOf(",") + 1), format: p.type?.split("/")[1] ?? "wav" } }];
      return [{ type: "file", file: { filename: p.name ?? "file", file_data: p.url } }];
    default:
      return [];
  }
}

function words(parts: Part[]): string {
  return parts.map((p) => (p.kind === "text" ? p.text : p.kind === "json" ? JSON.stringify(p.value) : "")).filter(Boolean).join("\n");
}

export function chatTools(tools: Tool[]): Json[] {
  return tools.filter((tool) => tool.name).map((tool) => ({ type: "function", function: { name: tool.name, ...(tool.description ? { description: tool.description } : {}), ...(record(tool.schema) ? { parameters: lowered(tool.schema) } : {}) } }));
}

/** Gemini writes the types of a schema in capitals. */
function lowered(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(lowered);
  const s = record(schema);
  if (!s) return schema;
  return Object.fromEntries(Object.entries(s).map(([k, v]) => [k, k === "type" && typeof v === "string" ? v.toLowerCase() : lowered(v)]));
}

/** Parameters that a request of any provider names, as a chat completion calls them. */
export function chatParams(body: unknown): Json {
  const b = record(body) ?? {};
  const nested = record(b.generationConfig) ?? record(b.inferenceConfig) ?? record(b.options) ?? record(b.parameters) ?? {};
  const pick = (...names: string[]) => names.map((n) => b[n] ?? nested[n]).find((v) => typeof v === "number");
  return Object.fromEntries(Object.entries({ temperature: pick("temperature"), max_tokens: pick("max_tokens", "max_completion_tokens", "max_output_tokens", "maxOutputTokens", "maxTokens", "num_predict", "max_new_tokens"), top_p: pick("top_p", "topP", "p") }).filter(([, v]) => v !== undefined));
}
