import { beforeAll, expect, it } from "vitest";
import type { Entry } from "@/api/types.gen";
import { loadLanguage } from "@/messages";
import { outcomeOf } from "./sentence";

beforeAll(() => loadLanguage("en"));

const attempt = (provider: string, model: string, status: number | null, cause: string | null) => ({ provider, model, status, cause }) as NonNullable<Entry["attempts"]>[number];
const entry = (e: Partial<Entry>): Entry => ({ id: "1", provider: "openai", model: "gpt-5", status_code: 200, success: true, ending: "complete", attempts: [], ...e }) as Entry;

it("says in plain words how it went", () => {
  expect(outcomeOf(entry({})).sentence).toBe("200 openai/gpt-5 answered");
  expect(outcomeOf(entry({ cached: true }))).toEqual({ tone: "cache", sentence: "200 from the cache" });
  expect(outcomeOf(entry({ attempts: [attempt("openai", "gpt-5", 429, "status"), attempt("anthropic", "claude", 200, null)] }))).toEqual({
    tone: "warn",
    sentence: "200 after a fallback: openai/gpt-5 failed (status 429), anthropic/claude answered",
  });
  expect(outcomeOf(entry({ attempts: [attempt("openai", "gpt-5", null, "dial"), attempt("openai", "gpt-5", 200, null)] })).sentence).toBe("200 after 1 retry (dial): openai/gpt-5 answered");
  expect(outcomeOf(entry({ success: false, status_code: 401, attempts: [attempt("openai", "gpt-5", 401, null)] }))).toEqual({ tone: "bad", sentence: "401 openai/gpt-5 answered with an error" });
  expect(outcomeOf(entry({ success: false, ending: "refused", status_code: 429 })).tone).toBe("block");
  expect(outcomeOf(entry({ ending: "in_flight", status_code: null })).sentence).toContain("running");
});
