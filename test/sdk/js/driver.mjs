// Calls the JavaScript SDKs as told on standard input: one JSON object {client, scenario, base} per
// line, one line of JSON with the outcome back. The outcome is what an application would see.
import { createInterface } from "node:readline";
import Anthropic from "@anthropic-ai/sdk";
import { InferenceClient } from "@huggingface/inference";
import OpenAI, { toFile } from "openai";
import OpenAIv4, { toFile as toFileV4 } from "openai-v4";
import Replicate from "replicate";

const messages = [{ role: "user", content: "Wie heißt der Fluss in Maribor? 🏞" }];
const tools = [
  {
    type: "function",
    function: {
      name: "get_time",
      description: "Local time",
      parameters: { type: "object", properties: { place: { type: "string" } }, required: ["place"] },
    },
  },
];

const collect = async (stream) => {
  const events = [];
  for await (const e of stream) events.push(e);
  return events;
};

const digest = async (response) => {
  const bytes = Buffer.from(await response.arrayBuffer());
  const hash = await crypto.subtle.digest("SHA-256", bytes);
  return { length: bytes.length, sha256: Buffer.from(hash).toString("hex") };
};

// openai has the scenarios of both versions of the SDK.
const openai = (SDK, file) => (base) => {
  const client = new SDK({ apiKey: "sk-test-js", baseURL: base, maxRetries: 0 });
  const chat = (extra) => client.chat.completions.create({ model: "gpt-4o-mini", messages, ...extra });
  return {
    chat: () => chat(),
    stream: async () => collect(await chat({ stream: true, stream_options: { include_usage: true } })),
    tools: async () => collect(await chat({ tools, stream: true, stream_options: { include_usage: true } })),
    large: () => chat({ messages: [{ role: "user", content: "abcdefgh ".repeat(250_000) }] }),
    embeddings: () => client.embeddings.create({ model: "text-embedding-3-small", input: ["one", "two"], encoding_format: "float" }),
    responses: async () => collect(await client.responses.create({ model: "gpt-5-mini", input: "Hi", stream: true })),
    models: () => client.models.list(),
    transcription: async () =>
      client.audio.transcriptions.create({
        model: "gpt-4o-mini-transcribe",
        file: await file(Buffer.from(Uint8Array.from({ length: 60_000 }, (_, i) => (i * 7919) % 256)), "speech.mp3"),
      }),
    speech: async () => digest(await client.audio.speech.create({ model: "tts-1", voice: "alloy", input: "Good morning" })),
  };
};

const anthropic = (base) => {
  const client = new Anthropic({ apiKey: "sk-ant-test", baseURL: base, maxRetries: 0 });
  const create = (extra) => client.messages.create({ model: "claude-test-1", max_tokens: 64, messages, ...extra });
  return {
    chat: () => create(),
    stream: async () => collect(await create({ stream: true })),
    tools: async () =>
      collect(
        await create({
          stream: true,
          tools: [{ name: "get_time", description: "Local time", input_schema: { type: "object", properties: { place: { type: "string" } } } }],
        }),
      ),
    count: () => client.messages.countTokens({ model: "claude-test-1", messages }),
  };
};

const replicate = (base) => {
  const client = new Replicate({ auth: "r8_test", baseUrl: base });
  return {
    create: () => client.predictions.create({ model: "black-forest-labs/flux-schnell", input: { prompt: "a lake" } }),
    get: () => client.predictions.get("wire0000000001"),
  };
};

// The form of 2023: organisation and model stand right after the provider.
const huggingface = (base) => {
  const client = new InferenceClient("hf_test");
  const at = (model) => ({ model, endpointUrl: `${base}/${model}` });
  const once = { retry_on_error: false };
  return {
    generate: () =>
      client.textGeneration({ ...at("bigcode/starcoder"), inputs: "def add(a, b):", parameters: { max_new_tokens: 8 } }, once),
    classify: () => client.textClassification({ ...at("distilbert/sst-2"), inputs: "A fine lake." }, once),
    image: () =>
      client.imageClassification({ ...at("google/vit"), data: new Blob([Uint8Array.from({ length: 5000 }, (_, i) => i % 251)]) }, once),
  };
};

const workersAI = (base) => ({
  run: async () => {
    const response = await fetch(`${base}/@cf/meta/llama-3.1-8b-instruct`, {
      method: "POST",
      headers: { authorization: "Bearer cf-test", "content-type": "application/json" },
      body: JSON.stringify({ prompt: "Where did the phrase Hello World come from" }),
    });
    return { status: response.status, body: await response.json() };
  },
});

const clients = {
  openai: openai(OpenAI, toFile),
  "openai-v4": openai(OpenAIv4, toFileV4),
  anthropic,
  replicate,
  huggingface,
  "workers-ai": workersAI,
};

const outcome = async ({ client, scenario, base }) => {
  try {
    return { result: await clients[client](base)[scenario]() };
  } catch (e) {
    return { error: { name: e.constructor.name, status: e.status ?? e.response?.status ?? null, body: e.error ?? null, message: e.message } };
  }
};

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await outcome(JSON.parse(line))));
}
