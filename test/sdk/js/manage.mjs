// Manages gateways through the reference's own SDK, by the protocol of driver.mjs. A scenario is a whole
// story; its outcome holds what the SDK gave at each step.
import { createInterface } from "node:readline";
import Cloudflare from "cloudflare";

const account_id = "0123456789abcdef0123456789abcdef";

const bare = {
  cache_invalidate_on_update: true,
  cache_ttl: 0,
  collect_logs: true,
  rate_limiting_interval: 0,
  rate_limiting_limit: 0,
};

// full says something of every setting that the SDK knows.
const full = {
  cache_invalidate_on_update: false,
  cache_ttl: 300,
  collect_logs: false,
  rate_limiting_interval: 60,
  rate_limiting_limit: 100,
  rate_limiting_technique: "sliding",
  authentication: true,
  byok_only: true,
  dlp: { enabled: true, policies: [{ id: "p", enabled: true, action: "FLAG", check: ["REQUEST"], profiles: ["<x>"] }] },
  guardrails: { prompt: { S1: "BLOCK" }, response: { P1: "FLAG" } },
  log_classification: true,
  log_management: 20000,
  log_management_strategy: "STOP_INSERTING",
  logpush: true,
  logpush_public_key: "0123456789abcdef",
  otel: [{ url: "https://otel.test/v1/traces", headers: { a: "b" }, authorization: "c", content_type: "json" }],
  retry_backoff: "exponential",
  retry_delay: 0,
  retry_max_attempts: 2,
  spend_limits: { enabled: true, rules: [{ limit: 1.5, limitType: "cost", window: 3600, technique: "fixed" }] },
  store_id: "store",
  stripe: { authorization: "s", usage_events: [{ payload: "{}" }] },
  workers_ai_billing_mode: "unified",
  zdr: true,
};

const refused = async (call) => {
  try {
    await call;
    return null;
  } catch (e) {
    return { name: e.constructor.name, status: e.status, errors: e.errors };
  }
};

const story = (base) => {
  const calls = [];
  const client = new Cloudflare({
    apiToken: "token-of-the-operator",
    baseURL: base,
    fetch: (url, init) => (calls.push(init.method), fetch(url, init)),
  });
  const gateways = client.aiGateway;
  return {
    full: async () => {
      const created = await gateways.create({ account_id, id: "full", ...full });
      const got = await gateways.get("full", { account_id });
      const updated = await gateways.update("full", { account_id, ...full });
      const nulls = await gateways.update("full", { account_id, ...bare, rate_limiting_technique: null, retry_delay: null, otel: null, store_id: null });
      const url = await gateways.urls.get("openai", { account_id, gateway_id: "full" });
      const deleted = await gateways.delete("full", { account_id });
      return { sent: full, created, got, updated, nulls, url, deleted };
    },
    pages: async () => {
      const ids = Array.from({ length: 25 }, (_, i) => `page-${String(i).padStart(2, "0")}`);
      for (const id of ids) await gateways.create({ account_id, id, ...bare });
      const listed = [];
      for await (const g of gateways.list({ account_id, search: "page-", per_page: 10 })) listed.push(g.id);
      return { ids, listed };
    },
    keys: async () => {
      await gateways.create({ account_id, id: "keys", ...bare });
      const sent = { provider_slug: "openai", alias: "production", default_config: true, rate_limit: 100, rate_limit_period: 60 };
      const created = await gateways.providerConfigs.create("keys", { account_id, ...sent, secret: "sk-proj-0123456789abcdefwxyz" });
      const listed = [];
      for await (const k of gateways.providerConfigs.list("keys", { account_id })) listed.push(k);
      calls.length = 0;
      const taken = await refused(gateways.providerConfigs.create("keys", { account_id, ...sent, secret: "sk-another" }));
      return { sent, created, listed, taken, tries: calls.length };
    },
    refused: async () => {
      await gateways.create({ account_id, id: "taken", ...bare });
      calls.length = 0;
      const taken = await refused(gateways.create({ account_id, id: "taken", ...bare }));
      const tries = calls.length;
      const wrong = await refused(gateways.create({ account_id, id: "Wrong", ...bare, retry_max_attempts: 9 }));
      const missing = await refused(gateways.get("nothing", { account_id }));
      return { taken, tries, wrong, missing };
    },
  };
};

for await (const line of createInterface({ input: process.stdin })) {
  const { scenario, base } = JSON.parse(line);
  try {
    console.log(JSON.stringify({ result: await story(base)[scenario]() }));
  } catch (e) {
    console.log(JSON.stringify({ error: `${e.constructor.name}: ${e.message}` }));
  }
}
