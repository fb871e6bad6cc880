import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { chatMessages, chatParams, chatTools } from "./chat";
import { readConversation } from "./index";

function asked(request: unknown) {
  return readConversation({ bytes: new TextEncoder().encode(JSON.stringify(request)), type: "application/json" })!;
}

const want = [
  { role: "user", content: "?" },
  { role: "assistant", content: null, tool_calls: [{ id: "c1", type: "function", function: { name: "f", arguments: "{\"a\":1}" } }] },
  { role: "tool", tool_call_id: "c1", content: "42" },
];

const formats: [string, unknown][] = [
  ["OpenAI chat", { messages: want }],
  ["OpenAI responses", { input: [{ role: "user", content: "?" }, { type: "function_call", call_id: "c1", name: "f", arguments: "{\"a\":1}" }, { type: "function_call_output", call_id: "c1", output: "42" }] }],
  ["Anthropic", { messages: [{ role: "user", content: "?" }, { role: "assistant", content: [{ type: "tool_use", id: "c1", name: "f", input: { a: 1 } }] }, { role: "user", content: [{ type: "tool_result", tool_use_id: "c1", content: "42" }] }] }],
  ["Gemini", { contents: [{ role: "user", parts: [{ text: "?" }] }, { role: "model", parts: [{ functionCall: { id: "c1", name: "f", args: { a: 1 } } }] }, { role: "user", parts: [{ functionResponse: { id: "c1", name: "f", response: "42" } }] }] }],
  ["Amazon", { messages: [{ role: "user", content: [{ text: "?" }] }, { role: "assistant", content: [{ toolUse: { toolUseId: "c1", name: "f", input: { a: 1 } } }] }, { role: "user", content: [{ toolResult: { toolUseId: "c1", content: [{ text: "42" }] } }] }] }],
];
for (const [name, request] of formats) {
  it(`tool calls survive: ${name}`, () => expect(chatMessages(asked(request).asked)).toEqual(want));
}

it("results that two tools gave at once are two messages, and the words beside them a third", () => {
  const talk = asked({ messages: [{ role: "user", content: [{ type: "tool_result", tool_use_id: "a", content: "1" }, { type: "tool_result", tool_use_id: "b", content: "2" }, { type: "text", text: "go on" }] }] });
  expect(chatMessages(talk.asked).map((m) => m.role)).toEqual(["tool", "tool", "user"]);
});

it("tools of all spellings are functions", () => {
  const schema = { type: "object", properties: { place: { type: "string" } } };
  const spellings = [{ tools: [{ type: "function", function: { name: "f", parameters: schema } }] }, { tools: [{ name: "f", input_schema: schema }] }, { tools: [{ functionDeclarations: [{ name: "f", parameters: { type: "OBJECT", properties: { place: { type: "STRING" } } } }] }] }, { toolConfig: { tools: [{ toolSpec: { name: "f", inputSchema: { json: schema } } }] } }];
  for (const s of spellings) expect(chatTools(asked({ prompt: "x", ...s }).tools)).toEqual([{ type: "function", function: { name: "f", parameters: schema } }]);
});

it("takes parameters over", () => {
  const body = JSON.parse(readFileSync(join(import.meta.dirname, "testdata/google-ai-studio/generate.request.json"), "utf8")) as unknown;
  expect(chatParams(body)).toEqual({ temperature: 0.3, max_tokens: 256 });
});
