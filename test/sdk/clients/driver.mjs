// Calls clients that know a gateway, and a framework, by the protocol of ../js/driver.mjs: one JSON object
// per line on standard input, one line of JSON with the outcome back. Besides client, scenario and base,
// which is the gateway's own address or a provider's, a call may carry args: what an application configures.
import { createInterface } from "node:readline";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { ChatOpenAI, OpenAIEmbeddings } from "@langchain/openai";
import { generateText, streamText } from "ai";
import { createAiGateway } from "ai-gateway-provider";
import { createWorkersAI } from "workers-ai-provider";

const question = "Wie heißt der Fluss in Maribor? 🏞";

const collect = async (stream) => {
  const parts = [];
  for await (const part of stream) parts.push(part);
  return parts;
};

// Two of the clients have the host of the reference written into them. fetch is where it is changed, and
// nothing but the host: what sluiceHost does is what docs/clients.md tells users to do.
const hosted = "https://gateway.ai.cloudflare.com/";
const plainFetch = globalThis.fetch;
const sluiceHost = (base) => (url, init) => plainFetch(String(url).replace(hosted, `${base}/`), init);

// Models of the AI SDK. direct, when given, is the address of all their providers.
const models = (direct) => {
  const at = (path) => (direct ? { baseURL: direct + path } : {});
  const openai = createOpenAI({ apiKey: "sk-test-js", ...at("/v1") });
  const groq = createOpenAI({ apiKey: "gsk-test", baseURL: direct ? `${direct}/openai/v1` : "https://api.groq.com/openai/v1" });
  const anthropic = createAnthropic({ apiKey: "sk-ant-test", ...at("/v1") });
  return {
    openai: () => openai.chat("gpt-4o-mini"),
    responses: () => openai("gpt-5-mini"),
    groq: () => groq.chat("openai/gpt-oss-20b"),
    anthropic: () => anthropic("claude-haiku-4-5"),
  };
};

const ask = (model, { prompt = question }) => ({ model, prompt, maxRetries: 0 });

const asked = (model, args) => ({
  chat: async () => {
    const { text, finishReason, usage } = await generateText(ask(model, args));
    return { text, finishReason, usage };
  },
  stream: async () => {
    const { stream } = streamText({ ...ask(model, args), onError: () => {} });
    const parts = await collect(stream);
    const failed = parts.find((p) => p.type === "error");
    if (failed) throw failed.error;
    const { finishReason, totalUsage } = parts.find((p) => p.type === "finish");
    return { text: parts.filter((p) => p.type === "text-delta").map((p) => p.text), finishReason, totalUsage };
  },
});

// The same models without a gateway.
const aiSDK = (base, args) => asked(models(base)[args.models.at(-1)](), args);

// The same models through ai-gateway-provider, which calls the global fetch, or what stands for the binding of
// a Worker. Then it puts what options ask into each step.
const aiGateway = (base, args) => {
  const { account = "default", gateway = "default", token, options, binding } = args;
  const address = `${base}/v1/${account}/${gateway}`;
  const headers = { "content-type": "application/json", ...(token ? { "cf-aig-authorization": `Bearer ${token}` } : {}) };
  const run = (steps, { signal }) => plainFetch(address, { method: "POST", headers, body: JSON.stringify(steps), signal });
  if (!binding) globalThis.fetch = sluiceHost(base);
  const provider = createAiGateway(binding ? { binding: { run }, options } : { accountId: account, gateway, apiKey: token, options });
  const named = models();
  return asked(provider(args.models.map((name) => named[name]())), args);
};

// workers-ai-provider takes a fetch of the application's own; its calls without a gateway go to the API's host.
const workersAI = (base, args) => {
  const { account = "default", gateway, token = "cf-test", direct } = args;
  const fetch = direct
    ? (url, init) => plainFetch(String(url).replace("https://api.cloudflare.com/", `${base}/`), init)
    : sluiceHost(base);
  const ai = createWorkersAI({ accountId: account, apiKey: token, fetch, ...(gateway ? { gateway: { id: "default", ...gateway } } : {}) });
  return asked(ai("@cf/meta/llama-3.1-8b-instruct"), args);
};

const langchain = (base) => {
  const configuration = { baseURL: base };
  const chat = new ChatOpenAI({ model: "gpt-4o-mini", apiKey: "sk-test-js", maxRetries: 0, configuration });
  const seen = ({ content, usage_metadata, response_metadata }) => ({ content, usage_metadata, response_metadata });
  return {
    chat: async () => seen(await chat.invoke(question)),
    stream: async () => (await collect(await chat.stream(question))).map(seen),
    embeddings: () =>
      new OpenAIEmbeddings({ model: "text-embedding-3-small", apiKey: "sk-test-js", maxRetries: 0, encodingFormat: "float", configuration }).embedDocuments(["one", "two"]),
  };
};

const clients = { "ai-sdk": aiSDK, "ai-gateway-provider": aiGateway, "workers-ai-provider": workersAI, langchain };

const outcome = async ({ client, scenario, base, args = {} }) => {
  try {
    return { result: await clients[client](base, args)[scenario]() };
  } catch (e) {
    const { statusCode, status, isRetryable, responseHeaders, message } = e;
    return { error: { name: e.constructor.name, status: statusCode ?? status ?? null, isRetryable, retryAfter: responseHeaders?.["retry-after"], message } };
  } finally {
    globalThis.fetch = plainFetch;
  }
};

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await outcome(JSON.parse(line))));
}
