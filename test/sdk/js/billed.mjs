// Calls further JavaScript SDKs, by the protocol of driver.mjs: one JSON object {client, scenario, base} per
// line on standard input, one line of JSON with the outcome back.
import { createInterface } from "node:readline";
import { BedrockRuntimeClient, ConverseCommand, ConverseStreamCommand } from "@aws-sdk/client-bedrock-runtime";
import { GoogleGenAI } from "@google/genai";
import { Mistral } from "@mistralai/mistralai";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { CohereClientV2 } from "cohere-ai";
import Groq from "groq-sdk";

const question = "Wie heißt der Fluss in Maribor? 🏞";
const messages = [{ role: "user", content: question }];

const collect = async (stream) => {
  const events = [];
  for await (const e of stream) events.push(e);
  return events;
};

const gemini = (base) => {
  const { models } = new GoogleGenAI({ apiKey: "AIza-test", httpOptions: { baseUrl: base } });
  const ask = { model: "gemini-2.5-flash", contents: question };
  // An answer's sdkHttpResponse holds its headers, which name the gateway.
  const seen = ({ sdkHttpResponse, ...rest }) => rest;
  return {
    chat: async () => seen(await models.generateContent(ask)),
    stream: async () => (await collect(await models.generateContentStream({ ...ask, model: "gemini-3.5-flash" }))).map(seen),
    embed: async () => seen(await models.embedContent({ model: "gemini-embedding-001", contents: "a lake" })),
  };
};

const mistral = (base) => {
  const { chat } = new Mistral({ apiKey: "mistral-test", serverURL: base, retryConfig: { strategy: "none" } });
  return {
    chat: () => chat.complete({ model: "mistral-small-latest", messages }),
    stream: async () => collect(await chat.stream({ model: "magistral-medium-latest", messages })),
  };
};

const cohere = (base) => {
  const client = new CohereClientV2({ token: "cohere-test", environment: base, maxRetries: 0 });
  return {
    chat: () => client.chat({ model: "command-a-03-2025", messages }),
    stream: async () => collect(await client.chatStream({ model: "command-a-03-2025", messages })),
    embed: () =>
      client.embed({ model: "embed-v4.0", texts: ["a", "b"], inputType: "search_document", embeddingTypes: ["float"] }),
    rerank: () => client.rerank({ model: "rerank-v3.5", query: "castle", documents: ["lake", "cave"] }),
  };
};

const groq = (base) => {
  const client = new Groq({ apiKey: "gsk-test", baseURL: base, maxRetries: 0 });
  const create = (extra) => client.chat.completions.create({ model: "openai/gpt-oss-20b", messages, ...extra });
  return {
    chat: () => create(),
    stream: async () => collect(await create({ stream: true })),
  };
};

// The SDK's own handler speaks HTTP/2 without TLS to an http address; this one speaks HTTP/1.1.
const bedrock = (base) => {
  const client = new BedrockRuntimeClient({
    region: "us-east-1",
    endpoint: base,
    credentials: { accessKeyId: "AKIATEST", secretAccessKey: "secret-test" },
    maxAttempts: 1,
    requestHandler: new NodeHttpHandler(),
  });
  const ask = { modelId: "anthropic.claude-sonnet-4-5-20250929-v1:0", messages: [{ role: "user", content: [{ text: question }] }] };
  // $metadata holds what differs in each call: attempts and the request's id.
  const seen = ({ $metadata, ...rest }) => rest;
  return {
    chat: async () => seen(await client.send(new ConverseCommand(ask))),
    stream: async () => collect((await client.send(new ConverseStreamCommand(ask))).stream),
  };
};

const clients = { gemini, mistral, cohere, groq, bedrock };

const outcome = async ({ client, scenario, base }) => {
  try {
    return { result: await clients[client](base)[scenario]() };
  } catch (e) {
    const status = e.status ?? e.statusCode ?? e.$metadata?.httpStatusCode ?? null;
    return { error: { name: e.constructor.name, status, message: e.message } };
  }
};

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await outcome(JSON.parse(line))));
}
