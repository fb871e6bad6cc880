// How applications are pointed at a gateway: code to paste, with address and token filled in. curl's is run by a test.

/** What stands in step 1 of the first run: whose key calls bring. */
export interface Target {
  /** Address up to the gateway: http://127.0.0.1:8088/v1/default/default. */
  gateway: string;
  /** Slug of the provider that is called. */
  provider: string;
  /** A gateway token that stands in place of the provider's key; undefined: the application brings its own. */
  token?: string;
  /** The gateway lets nobody in without a token of its own. */
  guarded?: boolean;
}

export interface Snippet {
  id: string;
  /** Names of products: the same in every language. */
  label: string;
  code: string;
  /** The part that matters. */
  mark: string;
}

interface Usual {
  model: string;
  variable: string;
}

const usual: Record<string, Usual> = {
  echo: { model: "echo-1", variable: "OPENAI_API_KEY" },
  openai: { model: "gpt-4.1-mini", variable: "OPENAI_API_KEY" },
  anthropic: { model: "claude-haiku-4-5", variable: "ANTHROPIC_API_KEY" },
  "google-ai-studio": { model: "gemini-2.5-flash", variable: "GEMINI_API_KEY" },
  groq: { model: "llama-3.3-70b-versatile", variable: "GROQ_API_KEY" },
  mistral: { model: "mistral-small-latest", variable: "MISTRAL_API_KEY" },
  deepseek: { model: "deepseek-chat", variable: "DEEPSEEK_API_KEY" },
  openrouter: { model: "openrouter/auto", variable: "OPENROUTER_API_KEY" },
};

/** Providers that the first run knows a model of; of others it does not know what to call. */
export const known = Object.keys(usual);

export function modelOf(provider: string): string {
  return usual[provider]?.model ?? "MODEL";
}

/** Providers whose clients speak OpenAI's dialect. */
function speaksOpenAI(provider: string): boolean {
  return provider !== "anthropic" && provider !== "google-ai-studio";
}

/** A call that can be made from anywhere: path below the gateway, fields and body. */
export function callOf(target: Target): { path: string; headers: Record<string, string>; body: unknown } {
  const { provider, token } = target;
  const model = modelOf(provider);
  const headers: Record<string, string> = { "content-type": "application/json" };
  const messages = [{ role: "user", content: "Hello" }];
  const key = token ?? `$${usual[provider]?.variable ?? "API_KEY"}`;
  if (target.guarded && !token) headers["cf-aig-authorization"] = "Bearer $SLUICE_GATEWAY_TOKEN";
  if (provider === "anthropic") {
    return { path: "anthropic/v1/messages", headers: { ...headers, "x-api-key": key, "anthropic-version": "2023-06-01" }, body: { model, max_tokens: 256, messages } };
  }
  if (provider === "google-ai-studio") {
    return { path: `google-ai-studio/v1beta/models/${model}:generateContent`, headers: { ...headers, "x-goog-api-key": key }, body: { contents: [{ role: "user", parts: [{ text: "Hello" }] }] } };
  }
  if (provider !== "echo" || token) headers.authorization = `Bearer ${key}`;
  return { path: `${provider}/chat/completions`, headers, body: { model, messages } };
}

/** The call as a command. Values that are variables stand in double quotes, so that the shell fills them in. */
function curl(target: Target): string {
  const { path, headers, body } = callOf(target);
  const fields = Object.entries(headers).map(([name, value]) => `  -H "${name}: ${value}" \\\n`);
  return `curl ${target.gateway}/${path} \\\n${fields.join("")}  -d '${JSON.stringify(body)}'`;
}

/** The code of each tab. */
export function snippets(target: Target): Snippet[] {
  const { gateway } = target;
  const token = target.token ?? (target.provider === "echo" ? "none" : undefined); // SDKs want one, echo does not
  const chat = speaksOpenAI(target.provider) ? target.provider : "openai";
  const base = `${gateway}/${chat}`;
  const model = modelOf(chat);
  const own = (variable: string) => token ?? variable;
  const py = (variable: string) => (token ? `"${token}"` : `os.environ["${variable}"]`);
  const js = (variable: string) => (token ? `"${token}"` : `process.env.${variable}`);
  const variable = usual[chat]?.variable ?? "API_KEY";
  const extraPy = target.guarded && !token ? `,\n    default_headers={"cf-aig-authorization": "Bearer " + os.environ["SLUICE_GATEWAY_TOKEN"]}` : "";
  const extraJs = target.guarded && !token ? `,\n  defaultHeaders: { "cf-aig-authorization": \`Bearer \${process.env.SLUICE_GATEWAY_TOKEN}\` }` : "";
  const osPy = token && !extraPy ? "" : "import os\n";
  const anthropic = `${gateway}/anthropic`;
  const google = `${gateway}/google-ai-studio`;
  const withBase = (id: string, label: string, mark: string, code: string): Snippet => ({ id, label, code, mark });
  return [
    withBase("curl", "curl", `${gateway}/${callOf(target).path}`, curl(target)),
    withBase(
      "python", "OpenAI Python", base,
      `${osPy}from openai import OpenAI\n\nclient = OpenAI(\n    base_url="${base}",\n    api_key=${py(variable)}${extraPy},\n)\nanswer = client.chat.completions.create(\n    model="${model}",\n    messages=[{"role": "user", "content": "Hello"}],\n)\nprint(answer.choices[0].message.content)`,
    ),
    withBase(
      "javascript", "OpenAI JavaScript", base,
      `import OpenAI from "openai";\n\nconst client = new OpenAI({\n  baseURL: "${base}",\n  apiKey: ${js(variable)}${extraJs},\n});\nconst answer = await client.chat.completions.create({\n  model: "${model}",\n  messages: [{ role: "user", content: "Hello" }],\n});\nconsole.log(answer.choices[0].message.content);`,
    ),
    withBase(
      "anthropic", "Anthropic", anthropic,
      `${osPy}from anthropic import Anthropic\n\nclient = Anthropic(\n    base_url="${anthropic}",\n    api_key=${py("ANTHROPIC_API_KEY")}${extraPy},\n)\nanswer = client.messages.create(\n    model="${modelOf("anthropic")}",\n    max_tokens=256,\n    messages=[{"role": "user", "content": "Hello"}],\n)\nprint(answer.content[0].text)`,
    ),
    withBase(
      "google", "Google", google,
      `${token ? "" : "import os\n"}from google import genai\n\nclient = genai.Client(\n    api_key=${py("GEMINI_API_KEY")},\n    http_options={"base_url": "${google}"},\n)\nanswer = client.models.generate_content(\n    model="${modelOf("google-ai-studio")}",\n    contents="Hello",\n)\nprint(answer.text)`,
    ),
    withBase(
      "ai-sdk", "AI SDK", base,
      `import { createOpenAI } from "@ai-sdk/openai";\nimport { generateText } from "ai";\n\nconst openai = createOpenAI({\n  baseURL: "${base}",\n  apiKey: ${js(variable)},\n});\nconst { text } = await generateText({\n  model: openai.chat("${model}"),\n  prompt: "Hello",\n});`,
    ),
    withBase(
      "langchain", "LangChain", base,
      `${osPy}from langchain_openai import ChatOpenAI\n\nmodel = ChatOpenAI(\n    model="${model}",\n    base_url="${base}",\n    api_key=${py(variable)}${extraPy},\n)\nprint(model.invoke("Hello").content)`,
    ),
    withBase(
      "go", "Go", base,
      `client := openai.NewClient(\n\toption.WithBaseURL("${base}/"),\n\toption.WithAPIKey(${token ? `"${token}"` : `os.Getenv("${variable}")`}),\n)\nanswer, err := client.Chat.Completions.New(ctx, openai.ChatCompletionNewParams{\n\tModel:    "${model}",\n\tMessages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("Hello")},\n})`,
    ),
    withBase("claude-code", "Claude Code", anthropic, `export ANTHROPIC_BASE_URL=${anthropic}\nexport ANTHROPIC_API_KEY=${own("$ANTHROPIC_API_KEY")}\nclaude`),
    withBase(
      "codex", "Codex", `${gateway}/openai`,
      `# ~/.codex/config.toml\nmodel_provider = "sluice"\n\n[model_providers.sluice]\nname = "Sluice"\nbase_url = "${gateway}/openai"\nenv_key = "OPENAI_API_KEY"\nwire_api = "responses"`,
    ),
    withBase("gemini-cli", "Gemini CLI", google, `export GOOGLE_GEMINI_BASE_URL=${google}\nexport GEMINI_API_KEY=${own("$GEMINI_API_KEY")}\ngemini`),
    withBase(
      "opencode", "OpenCode", `${gateway}/openai`,
      `// opencode.json\n{\n  "$schema": "https://opencode.ai/config.json",\n  "provider": {\n    "openai": { "options": { "baseURL": "${gateway}/openai"${token ? `, "apiKey": "${token}"` : ""} } },\n    "anthropic": { "options": { "baseURL": "${anthropic}/v1"${token ? `, "apiKey": "${token}"` : ""} } }\n  }\n}`,
    ),
    withBase("cursor", "Cursor, Copilot", `${gateway}/openai`, `# Cursor: Settings > Models > Override OpenAI Base URL\n# VS Code: Chat > Manage Models > OpenAI Compatible\n${gateway}/openai`),
  ];
}
