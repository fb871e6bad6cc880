import { expect, test } from "vitest";
import type { MissView } from "@/api/types.gen";
import { causeKey, missesOf, movedURL } from "./first";

const miss = (id: number, more: Partial<MissView> = {}): MissView => ({
  id, first_at: "", last_at: "", count: 1, cause: "no_path", status_code: 400, code: null, message: "", hint: "", snippet: null, method: "POST", path: "/v1/chat", host: "",
  account: null, gateway: null, provider: null, model: null, log_id: null, caller: { address: "", user_agent: "", credential: null, key: null }, ...more,
});

test("the newest state of each call, newest first, three at most", () => {
  const list = missesOf([miss(1), miss(1, { count: 2 }), miss(2, { path: "/b" }), miss(3, { path: "/c" }), miss(4, { path: "/d" })], "default");
  expect(list.map((m) => m.path)).toEqual(["/d", "/c", "/b"]);
  expect(missesOf([miss(1), miss(1, { count: 2 })], "default")[0]!.count).toBe(2);
});

test("calls of other gateways are theirs, unless there is no such gateway", () => {
  expect(missesOf([miss(1, { gateway: "other", cause: "key_rejected" })], "default")).toEqual([]);
  expect(missesOf([miss(1, { gateway: "defualt", cause: "no_gateway" })], "default")).toHaveLength(1);
});

test("an address of Cloudflare's leads to the same here", () => {
  const gateway = "http://127.0.0.1:8088/v1/default/prod";
  const old = "gateway.ai.cloudflare.com/v1/0123456789abcdef0123456789abcdef/prod";
  expect(movedURL(`https://${old}/openai/chat/completions?x=1`, gateway)).toBe(`${gateway}/openai/chat/completions?x=1`);
  expect(movedURL(` https://${old} `, gateway)).toBe(gateway);
  expect(movedURL(`wss://${old}/openai`, gateway)).toBe("ws://127.0.0.1:8088/v1/default/prod/openai");
  for (const none of ["", "https://api.openai.com/v1/chat/completions", "https://gateway.ai.cloudflare.com/v1/x", "javascript:1"]) expect(movedURL(none, gateway)).toBeUndefined();
});

test("a call without a key is told apart from one with a wrong key", () => {
  const caller = { address: "", user_agent: "", credential: null, key: null };
  expect(causeKey({ cause: "key_rejected", caller })).toBe("home.causeNoKey");
  expect(causeKey({ cause: "key_rejected", caller: { ...caller, credential: "authorization" } })).toBe("home.causeRejected");
});
