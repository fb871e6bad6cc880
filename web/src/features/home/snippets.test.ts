import { describe, expect, test } from "vitest";
import { callOf, known, modelOf, snippets } from "./snippets";

const gateway = "http://127.0.0.1:8088/a/v1/default/prod";

describe("snippets", () => {
  test("each has the address that it marks", () => {
    for (const provider of known)
      for (const s of snippets({ gateway, provider })) {
        expect(s.code, s.id).toContain(s.mark);
        expect(s.mark).toContain(gateway);
      }
  });
  test("a token stands where the provider's key would", () => {
    for (const s of snippets({ gateway, provider: "openai", token: "slc_x" })) {
      expect(s.code, s.id).not.toMatch(/environ|process\.env|Getenv/);
      if (!["codex", "cursor"].includes(s.id)) expect(s.code, s.id).toContain(["claude-code", "curl"].includes(s.id) ? "slc_x" : "slc_x");
    }
  });
  test("a gateway that wants a token is told one beside the provider's key", () => {
    expect(callOf({ gateway, provider: "openai", guarded: true }).headers["cf-aig-authorization"]).toBe("Bearer $SLUICE_GATEWAY_TOKEN");
    expect(snippets({ gateway, provider: "openai", guarded: true })[1]!.code).toContain("cf-aig-authorization");
    expect(callOf({ gateway, provider: "openai", guarded: true, token: "slc_x" }).headers["cf-aig-authorization"]).toBeUndefined();
  });
  test("echo needs no key", () => {
    expect(callOf({ gateway, provider: "echo" }).headers).toEqual({ "content-type": "application/json" });
    expect(modelOf("nobody")).toBe("MODEL");
  });
});
