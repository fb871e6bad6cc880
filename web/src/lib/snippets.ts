// A call as code that people can run. Keys are variables of the environment: the pages do not know them.
import { shellQuote } from "@/components/CopyAs";
import { parse } from "./conversation/json";

export interface Example {
  url: string;
  provider: string;
  method: string;
  /** Of the body. */
  type: string;
  body: string;
  headers?: Record<string, string>;
}

export const snippetNames = ["curl", "Python", "JavaScript"] as const;
export type SnippetName = (typeof snippetNames)[number];

/** The field that a provider takes its key in, and the variable that it is usually kept in. */
function keyField(provider: string): [string, string, string] {
  const variable = `${provider.replace(/\W/g, "_").toUpperCase()}_API_KEY`;
  const own: Record<string, [string, string, string]> = {
    anthropic: ["x-api-key", "", "ANTHROPIC_API_KEY"],
    "google-ai-studio": ["x-goog-api-key", "", "GEMINI_API_KEY"],
    "azure-openai": ["api-key", "", "AZURE_OPENAI_API_KEY"],
    deepgram: ["Authorization", "Token ", "DEEPGRAM_API_KEY"],
    elevenlabs: ["xi-api-key", "", "ELEVENLABS_API_KEY"],
  };
  return own[provider] ?? ["Authorization", "Bearer ", variable];
}

export function snippetOf(name: SnippetName, example: Example): string {
  return { curl, Python: python, JavaScript: javascript }[name](example);
}

function pretty(body: string): string {
  const value = parse(body);
  return value === undefined ? body : JSON.stringify(value, null, 2);
}

function curl({ url, provider, method, type, body, headers = {} }: Example): string {
  const [field, before, variable] = keyField(provider);
  const lines = [`curl ${method === "POST" || method === "GET" ? "" : `-X ${method} `}${shellQuote(url)}`];
  if (provider !== "echo") lines.push(`  -H "${field}: ${before}$${variable}"`);
  for (const [n, v] of Object.entries({ ...(body ? { "content-type": type } : {}), ...headers })) lines.push(`  -H ${shellQuote(`${n}: ${v}`)}`);
  if (body) lines.push(`  -d ${shellQuote(pretty(body))}`);
  return lines.join(" \\\n");
}

function python({ url, provider, method, type, body, headers = {} }: Example): string {
  const [field, before, variable] = keyField(provider);
  const fields = Object.entries({ ...(body ? { "content-type": type } : {}), ...headers }).map(([n, v]) => `        ${JSON.stringify(n)}: ${JSON.stringify(v)},`);
  if (provider !== "echo") fields.unshift(`        ${JSON.stringify(field)}: f"${before}{os.environ['${variable}']}",`);
  return [
    "import os",
    "import requests",
    "",
    "answer = requests.request(",
    `    ${JSON.stringify(method)},`,
    `    ${JSON.stringify(url)},`,
    "    headers={",
    ...fields,
    "    },",
    ...(body ? [`    data=${pythonText(pretty(body))}.encode(),`] : []),
    ")",
    "print(answer.status_code, answer.text)",
  ].join("\n");
}

/** A text in Python: JSON's escapes mean the same there. */
function pythonText(text: string): string {
  return JSON.stringify(text);
}

function javascript({ url, provider, method, type, body, headers = {} }: Example): string {
  const [field, before, variable] = keyField(provider);
  const fields = Object.entries({ ...(body ? { "content-type": type } : {}), ...headers }).map(([n, v]) => `    ${JSON.stringify(n)}: ${JSON.stringify(v)},`);
  if (provider !== "echo") fields.unshift(`    ${JSON.stringify(field)}: \`${before}\${process.env.${variable}}\`,`);
  const value = body ? parse(body) : undefined;
  const content = value === undefined ? JSON.stringify(body) : `JSON.stringify(${JSON.stringify(value, null, 2).replaceAll("\n", "\n  ")})`;
  return [
    `const answer = await fetch(${JSON.stringify(url)}, {`,
    `  method: ${JSON.stringify(method)},`,
    "  headers: {",
    ...fields,
    "  },",
    ...(body ? [`  body: ${content},`] : []),
    "});",
    "console.log(answer.status, await answer.text());",
  ].join("\n");
}
