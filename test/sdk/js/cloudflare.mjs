// Makes single calls of the reference's own SDK, by the protocol of driver.mjs: the scenario is a method's name below
// client.aiGateway, args are the values of the path in its order and the other parameters. The scenario "methods"
// lists all methods that there are.
import { createInterface } from "node:readline";
import Cloudflare from "cloudflare";

const clientOf = (base) => new Cloudflare({ apiToken: "token-of-the-operator", baseURL: base });

// methodsOf lists the methods of a resource, and of those within it.
const methodsOf = (resource, path = "") => {
  const names = [];
  for (let p = Object.getPrototypeOf(resource); p && p !== Object.prototype; p = Object.getPrototypeOf(p)) {
    for (const name of Object.getOwnPropertyNames(p)) {
      if (name !== "constructor" && typeof p[name] === "function") names.push(path + name);
    }
  }
  for (const [name, inner] of Object.entries(resource)) {
    if (inner && typeof inner === "object" && !name.startsWith("_")) names.push(...methodsOf(inner, path + name + "."));
  }
  return [...new Set(names)];
};

const make = async (base, name, { path, params }) => {
  const parts = name.split(".");
  const resource = parts.slice(0, -1).reduce((r, part) => r[part], clientOf(base).aiGateway);
  const all = { account_id: params.account_id, ...params };
  for (const [key, value] of path.slice(0, -1)) all[key] = value;
  const positional = path.length > 0 ? [path[path.length - 1][1]] : [];
  const promise = resource[parts[parts.length - 1]](...positional, all);
  if (typeof promise[Symbol.asyncIterator] !== "function") return (await promise) ?? null;
  const items = [];
  for await (const item of promise) items.push(item);
  return items;
};

for await (const line of createInterface({ input: process.stdin })) {
  const { scenario, base, args } = JSON.parse(line);
  try {
    const result = scenario === "methods" ? methodsOf(clientOf(base).aiGateway) : await make(base, scenario, args);
    console.log(JSON.stringify({ result }));
  } catch (e) {
    console.log(JSON.stringify({ error: { name: e.constructor.name, status: e.status ?? 0, code: e.errors?.[0]?.code ?? 0, message: String(e.message) } }));
  }
}
