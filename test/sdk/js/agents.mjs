// Calls SDKs as coding agents and locked gateways want them, by the protocol of driver.mjs. What an application
// configures stands in args: env, which it reads by itself, or options of the SDK's constructor.
import { createInterface } from "node:readline";
import Anthropic from "@anthropic-ai/sdk";
import { GoogleGenAI } from "@google/genai";
import OpenAI from "openai";

const question = "Wie heißt der Fluss in Maribor? 🏞";
const messages = [{ role: "user", content: question }];

const collect = async (stream) => {
  const events = [];
  for await (const e of stream) events.push(e);
  return events;
};

const openai = (base, { options } = {}) => {
  const client = new OpenAI({ maxRetries: 0, ...(base ? { baseURL: base } : {}), ...options });
  return {
    chat: () => client.chat.completions.create({ model: "gpt-4o-mini", messages }),
    responses: async () => collect(await client.responses.create({ model: "gpt-5-mini", input: question, stream: true })),
  };
};

const anthropic = (base, { options } = {}) => {
  const client = new Anthropic({ maxRetries: 0, ...(base ? { baseURL: base } : {}), ...options });
  const ask = { model: "claude-haiku-4-5", max_tokens: 64, messages };
  return {
    chat: () => client.messages.create(ask),
    stream: async () => collect(await client.messages.create({ ...ask, stream: true })),
    count: () => client.messages.countTokens({ model: ask.model, messages }),
  };
};

const gemini = (base, { options: { apiKey, headers } }) => {
  const { models } = new GoogleGenAI({ apiKey, httpOptions: { baseUrl: base, headers } });
  const seen = ({ sdkHttpResponse, ...rest }) => rest;
  return { chat: async () => seen(await models.generateContent({ model: "gemini-2.5-flash", contents: question })) };
};

// The agents take their settings from the environment only; so do their SDKs, when they get no options.
const inEnvironment = (scenarios) => (base, args) => {
  for (const name of Object.keys(process.env)) if (/^(OPENAI|ANTHROPIC)_/.test(name)) delete process.env[name];
  Object.assign(process.env, args.env);
  return scenarios(args);
};

const claudeCode = inEnvironment(() => ({
  ...anthropic(),
  // A look whether the server is there, before the first call.
  probe: async () => (await fetch(`${process.env.ANTHROPIC_BASE_URL}/api/hello`, { method: "HEAD" })).status,
}));

const codex = inEnvironment(() => openai());

const clients = { "claude-code": claudeCode, codex, openai, anthropic, gemini };

const outcome = async ({ client, scenario, base, args }) => {
  try {
    return { result: await clients[client](base, args)[scenario]() };
  } catch (e) {
    return { error: { name: e.constructor.name, status: e.status ?? null, message: e.message } };
  }
};

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await outcome(JSON.parse(line))));
}
