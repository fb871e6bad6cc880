// Parts of messages. Their shapes differ between providers but do not collide, so that one table reads them all.
import { asText, at, list, record, records, text, type Json } from "./json";
import type { Media, Part } from "./model";

type Reader = (part: Json) => Part[];

const one = (part: Part): Part[] => [part];
const said = (value: unknown): Part[] => (text(value) === undefined ? [] : one({ kind: "text", text: text(value)! }));

function media(kind: Media["media"], of: Omit<Media, "kind" | "media">): Part[] {
  return one({ kind: "media", media: kind, ...of });
}

function dataUrl(type: string, base64: unknown): string | undefined {
  return text(base64) && `data:${type};base64,${text(base64)}`;
}

/** Parts that say in type what they are. */
const byType: Record<string, Reader> = {
  // OpenAI chat and responses
  text: (p) => [...said(at(p, "text")), ...citations(p.citations), ...citations(p.annotations)],
  input_text: (p) => said(p.text),
  output_text: (p) => [...said(p.text), ...citations(p.annotations)],
  summary_text: (p) => one({ kind: "reasoning", text: asText(p.text) }),
  reasoning_text: (p) => one({ kind: "reasoning", text: asText(p.text) }),
  refusal: (p) => one({ kind: "refusal", text: asText(p.refusal) }),
  image_url: (p) => media("image", { url: text(at(p, "image_url", "url")) ?? text(p.image_url) }),
  input_image: (p) => media("image", { url: text(p.image_url), name: text(p.file_id) }),
  input_audio: (p) => {
    const type = `audio/${text(at(p, "input_audio", "format")) ?? "wav"}`;
    return media("audio", { url: dataUrl(type, at(p, "input_audio", "data")), type });
  },
  audio: (p) => media("audio", source(p)),
  video_url: (p) => media("video", { url: text(at(p, "video_url", "url")) ?? text(p.video_url) }),
  file: (p) => media("file", { url: text(at(p, "file", "file_data")), name: text(at(p, "file", "filename")) ?? text(at(p, "file", "file_id")) }),
  input_file: (p) => media("file", { url: text(p.file_data) ?? text(p.file_url), name: text(p.filename) ?? text(p.file_id) }),
  document_url: (p) => media("file", { url: text(p.document_url), name: text(p.document_name) }),
  // Anthropic
  image: (p) => media("image", source(p)),
  document: (p) => (record(p.document) ? one({ kind: "json", value: at(p, "document", "data") ?? p.document }) : media("file", { ...source(p), name: text(p.title) })),
  thinking: (p) => one({ kind: "reasoning", text: typeof p.thinking === "string" ? p.thinking : list(p.thinking).map((t) => asText(at(t, "text"))).join("") }),
  redacted_thinking: () => one({ kind: "reasoning", text: "", hidden: true }),
  tool_use: (p) => call(p.id, p.name, p.input),
  server_tool_use: (p) => call(p.id, p.name, p.input),
  tool_result: (p) => result(p.tool_use_id, p.content, p.is_error === true),
  web_search_tool_result: (p) => result(p.tool_use_id, p.content, false),
  search_result: (p) => [...one({ kind: "citation", title: text(p.title), url: text(p.source) }), ...partsOf(p.content)],
  web_search_result: (p) => one({ kind: "citation", title: text(p.title), url: text(p.url) }),
  // Items of a response, which stand where others have messages
  reasoning: (p) => [...partsOf(p.summary), ...partsOf(p.content)].map((r) => (r.kind === "text" ? { kind: "reasoning" as const, text: r.text } : r)),
  function_call: (p) => call(p.call_id ?? p.id, p.name, p.arguments),
  custom_tool_call: (p) => call(p.call_id ?? p.id, p.name, p.input),
  mcp_call: (p) => [...call(p.id, p.name, p.arguments), ...(p.output === undefined ? [] : result(p.id, p.output, Boolean(p.error)))],
  web_search_call: (p) => call(p.id, "web_search", p.action),
  file_search_call: (p) => call(p.id, "file_search", { queries: p.queries }),
  code_interpreter_call: (p) => call(p.id, "code_interpreter", p.code),
  image_generation_call: (p) => media("image", { url: dataUrl("image/png", p.result) }),
  function_call_output: (p) => result(p.call_id, p.output, false),
  custom_tool_call_output: (p) => result(p.call_id, p.output, false),
};

/** Parts that are named by their key: Gemini's and Amazon's. */
const byKey: [string, Reader][] = [
  ["functionCall", (p) => call(at(p, "functionCall", "id"), at(p, "functionCall", "name"), at(p, "functionCall", "args"))],
  ["functionResponse", (p) => result(at(p, "functionResponse", "id"), at(p, "functionResponse", "response"), false, at(p, "functionResponse", "name"))],
  ["inlineData", (p) => inline(p.inlineData)],
  ["inline_data", (p) => inline(p.inline_data)],
  ["fileData", (p) => media(kindOf(text(at(p, "fileData", "mimeType"))), { url: text(at(p, "fileData", "fileUri")), type: text(at(p, "fileData", "mimeType")) })],
  ["executableCode", (p) => call("code", text(at(p, "executableCode", "language")) ?? "code", at(p, "executableCode", "code"))],
  ["codeExecutionResult", (p) => result("code", at(p, "codeExecutionResult", "output"), at(p, "codeExecutionResult", "outcome") !== "OUTCOME_OK")],
  ["toolUse", (p) => call(at(p, "toolUse", "toolUseId"), at(p, "toolUse", "name"), at(p, "toolUse", "input"))],
  ["toolResult", (p) => result(at(p, "toolResult", "toolUseId"), at(p, "toolResult", "content"), at(p, "toolResult", "status") === "error")],
  ["reasoningContent", (p) => {
    const words = text(at(p, "reasoningContent", "reasoningText", "text"));
    return one({ kind: "reasoning", text: words ?? "", hidden: words === undefined });
  }],
  ["image", (p) => amazon("image", p.image)],
  ["video", (p) => amazon("video", p.video)],
  ["document", (p) => amazon("file", p.document)],
  ["citationsContent", (p) => [...partsOf(at(p, "citationsContent", "content")), ...citations(at(p, "citationsContent", "citations"))]],
  ["cachePoint", () => []],
  ["json", (p) => one({ kind: "json", value: p.json })],
  ["text", (p) => (p.thought === true ? one({ kind: "reasoning", text: asText(p.text) }) : said(p.text))],
];

/** The parts of a message's content, whatever it is: a text, one part, or a list. */
export function partsOf(content: unknown): Part[] {
  if (typeof content === "string") return said(content);
  if (Array.isArray(content)) return content.flatMap((c) => partsOf(c));
  const part = record(content);
  if (part === undefined) return content === null || content === undefined ? [] : one({ kind: "json", value: content });
  const reader = byType[text(part.type) ?? ""] ?? byKey.find(([key]) => part[key] !== undefined)?.[1];
  return reader ? reader(part) : one({ kind: "json", value: part });
}

function call(id: unknown, name: unknown, args: unknown): Part[] {
  return one({ kind: "call", id: asText(id), name: asText(name), args: asText(args) });
}

export function result(id: unknown, content: unknown, failed: boolean, name?: unknown): Part[] {
  return one({ kind: "result", id: asText(id), name: text(name), parts: partsOf(content), failed: failed || undefined });
}

/** Tool calls as OpenAI writes them, which Mistral, Cohere and Ollama do, too; Workers AI leaves out the shell. */
export function toolCalls(value: unknown): Part[] {
  return records(value).flatMap((c) => call(c.id, at(c, "function", "name") ?? at(c, "custom", "name") ?? c.name, at(c, "function", "arguments") ?? at(c, "custom", "input") ?? c.arguments));
}

/** Citations of OpenAI, Anthropic, Amazon and Cohere. */
export function citations(value: unknown): Part[] {
  return records(value).flatMap((c) => {
    const inner = record(c.url_citation) ?? c;
    const title = text(inner.title) ?? text(inner.document_title) ?? text(inner.filename) ?? text(at(inner, "sources", 0, "document", "title"));
    const url = text(inner.url) ?? text(at(inner, "location", "web", "url"));
    const words = text(inner.cited_text) ?? text(inner.text) ?? text(at(inner, "sourceContent", 0, "text"));
    return title || url || words ? one({ kind: "citation", title, url, text: words }) : [];
  });
}

/** Anthropic's source of an image, a document or a sound. */
function source(p: Json): Omit<Media, "kind" | "media"> {
  const s = record(p.source);
  const type = text(s?.media_type);
  if (s?.type === "base64") return { url: dataUrl(type ?? "application/octet-stream", s.data), type };
  return { url: text(s?.url) ?? text(p.image_url), type, name: text(s?.file_id) ?? text(s?.data)?.slice(0, 80) };
}

function kindOf(type = ""): Media["media"] {
  const first = type.split("/")[0];
  return first === "image" || first === "audio" || first === "video" ? first : "file";
}

function inline(value: unknown): Part[] {
  const type = text(at(value, "mimeType")) ?? text(at(value, "mime_type")) ?? "application/octet-stream";
  return media(kindOf(type), { url: dataUrl(type, at(value, "data")), type });
}

function amazon(kind: "image" | "video" | "file", value: unknown): Part[] {
  const format = text(at(value, "format")) ?? "";
  const type = kind === "file" ? `application/${format}` : `${kind}/${format}`;
  return media(kind, { url: dataUrl(type, at(value, "source", "bytes")), type, name: text(at(value, "name")) ?? text(at(value, "source", "s3Location", "uri")) });
}
