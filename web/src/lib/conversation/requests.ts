// Requests of all providers, read as messages.
import { asText, at, list, record, records, text, type Json } from "./json";
import { chatParts } from "./answers";
import type { Message, Part, Role, Tool } from "./model";
import { partsOf, result, toolCalls } from "./parts";

export interface Question {
  asked: Message[];
  tools: Tool[];
}

const roles: Record<string, Role> = {
  system: "system", developer: "system", user: "user", human: "user", assistant: "assistant", model: "assistant", chatbot: "assistant", ai: "assistant",
  tool: "tool", function: "tool", ipython: "tool",
};

function roleOf(value: unknown): Role {
  return roles[asText(value).toLowerCase()] ?? "user";
}

/** Reads a request; undefined: no shape that is known. */
export function readRequest(body: unknown): Question | undefined {
  const b = record(body);
  if (!b) return undefined;
  const asked = [...instructions(b), ...turns(b)].filter((m) => m.parts.length > 0);
  return asked.length ? { asked, tools: toolsOf(b) } : undefined;
}

/** What stands beside the messages and is read before them. */
function instructions(b: Json): Message[] {
  const value = b.system ?? at(b, "systemInstruction", "parts") ?? at(b, "system_instruction", "parts") ?? (b.input === undefined ? undefined : b.instructions) ?? b.preamble ?? at(b, "input", "system_prompt");
  const parts = partsOf(value);
  return parts.length ? [{ role: "system", parts }] : [];
}

function turns(b: Json): Message[] {
  if (Array.isArray(b.messages)) return records(b.messages).map(chatMessage);
  if (Array.isArray(b.contents)) return records(b.contents).map((c) => ({ role: resultsOnly(roleOf(c.role ?? "user"), partsOf(c.parts)), parts: partsOf(c.parts) }));
  if (typeof b.contents === "string" || record(b.content)) return [user(partsOf(b.contents ?? at(b, "content", "parts")))];
  if (Array.isArray(b.requests)) return records(b.requests).map((r) => user(partsOf(at(r, "content", "parts"))));
  if (typeof b.message === "string") return cohereOld(b);
  if (typeof b.query === "string") return [user([...partsOf(b.query), ...list(b.documents).flatMap((d) => partsOf(record(d)?.text ?? d))])];
  if (record(b.input)) return [user(inputs(record(b.input)!))];
  if (b.input !== undefined) return responseItems(b.input);
  const asked = b.prompt ?? b.inputs ?? b.texts ?? b.text;
  const images = list(b.images).filter((i) => typeof i === "string");
  const parts: Part[] = record(asked) ? inputs(record(asked)!) : partsOf(asked);
  return [user([...parts, ...images.map((i): Part => ({ kind: "media", media: "image", url: `data:image/png;base64,${asText(i)}` }))])];
}

const user = (parts: Part[]): Message => ({ role: "user", parts });

/** Tool results stand in messages of the user with Anthropic, Google and Amazon. */
function resultsOnly(role: Role, parts: Part[]): Role {
  return parts.length > 0 && parts.every((p) => p.kind === "result") ? "tool" : role;
}

function chatMessage(m: Json): Message {
  const role = roleOf(m.role);
  if (role === "tool") return { role, name: text(m.name), parts: result(m.tool_call_id, m.content, false, m.name ?? m.tool_name) };
  const parts = chatParts(m);
  const images = list(m.images).filter((i) => typeof i === "string").map((i): Part => ({ kind: "media", media: "image", url: `data:image/png;base64,${asText(i)}` }));
  return { role: resultsOnly(role, parts), name: text(m.name), parts: [...parts, ...images] };
}

/** Input of the responses endpoint: messages, calls and their results in one list. A list of texts is of embeddings. */
function responseItems(input: unknown): Message[] {
  if (!records(input).length) return [user(partsOf(input))];
  const messages: Message[] = [];
  for (const item of records(input)) {
    const type = text(item.type);
    if (item.role !== undefined) messages.push({ role: roleOf(item.role), parts: partsOf(item.content) });
    else messages.push({ role: type?.endsWith("_output") ? "tool" : type === "reasoning" || type?.endsWith("_call") ? "assistant" : "user", parts: partsOf(item) });
  }
  return joined(messages);
}

/** A call and the words before it are one turn of the model. */
function joined(messages: Message[]): Message[] {
  const out: Message[] = [];
  for (const m of messages) {
    const last = out.at(-1);
    if (last && last.role === "assistant" && m.role === "assistant") last.parts.push(...m.parts);
    else out.push(m);
  }
  return out;
}

function cohereOld(b: Json): Message[] {
  const past = records(b.chat_history).map((h): Message => ({ role: roleOf(h.role), parts: [...partsOf(h.message), ...toolCalls(h.tool_calls)] }));
  const results = records(b.tool_results).map((r): Message => ({ role: "tool", parts: result("", r.outputs, false, at(r, "call", "name")) }));
  return [...past, ...results, user(partsOf(b.message))];
}

/** The inputs of a model that has fields of its own, as on Replicate: the prompt as text, pictures as such, the rest as JSON. */
function inputs(fields: Json): Part[] {
  const parts: Part[] = [];
  const rest: Json = {};
  for (const [name, value] of Object.entries(fields)) {
    if (name === "prompt" || name === "text") parts.unshift(...partsOf(value));
    else if (typeof value === "string" && /^(https:\/\/\S+\.(png|jpe?g|webp|gif)|data:image\/)/i.test(value)) parts.push({ kind: "media", media: "image", url: value, name });
    else if (name !== "system_prompt") rest[name] = value;
  }
  return Object.keys(rest).length ? [...parts, { kind: "json", value: rest }] : parts;
}

/** The tools that the model may call, in any spelling. */
function toolsOf(b: Json): Tool[] {
  const listed = records(b.tools ?? at(b, "toolConfig", "tools") ?? b.functions);
  return listed.flatMap((t): Tool[] => {
    const declared = records(t.functionDeclarations ?? t.function_declarations);
    if (declared.length) return declared.map(toolOf);
    return [toolOf(record(t.function) ?? record(t.toolSpec) ?? t)];
  });
}

function toolOf(t: Json): Tool {
  return {
    name: text(t.name) ?? text(t.type) ?? Object.keys(t)[0] ?? "",
    description: text(t.description),
    schema: t.parameters ?? t.input_schema ?? at(t, "inputSchema", "json") ?? t.parametersJsonSchema ?? t.parameter_definitions,
  };
}
