// What the first run knows of calls: which failed, why in words, and how to make one from here.
import type { MissView } from "@/api/types.gen";
import { prefix } from "@/lib/base";
import type { Place } from "@/lib/place";
import type { Key } from "@/messages";
import { callOf, type Target } from "./snippets";

const causes: Record<MissView["cause"], Key> = {
  malformed: "home.causeMalformed",
  no_path: "home.causePath",
  no_gateway: "home.causeGateway",
  no_provider: "home.causeProvider",
  unauthorized: "home.causeUnauthorized",
  no_credential: "home.causeNoKey",
  key_rejected: "home.causeRejected",
  unknown_target: "home.causeUnknown",
  unreachable: "home.causeUnreachable",
  too_large: "home.causeTooLarge",
  invalid: "home.causeInvalid",
};

export function causeKey(miss: Pick<MissView, "cause" | "caller">): Key {
  // A provider refuses a call without a key as it refuses a wrong one.
  return miss.cause === "key_rejected" && miss.caller.credential === null ? causes.no_credential : causes[miss.cause];
}

/** The newest calls that came to nothing, each once in its last state: those of this gateway, and those that named none. */
export function missesOf(all: MissView[], gateway: string, most = 3): MissView[] {
  const seen = new Map<string, MissView>();
  for (const miss of [...all].sort((a, b) => b.id - a.id || b.count - a.count)) {
    if (miss.gateway !== null && miss.gateway !== gateway && miss.cause !== "no_gateway") continue;
    const same = `${miss.cause} ${miss.method} ${miss.path}`;
    if (!seen.has(same)) seen.set(same, miss);
  }
  return [...seen.values()].slice(0, most);
}

/** Makes the snippet's call from this page. What comes of it is seen in the live events, whatever it is. */
export async function runHere(place: Place, target: Target): Promise<void> {
  const { path, headers, body } = callOf(target);
  const url = `${prefix}/v1/${encodeURIComponent(place.account)}/${encodeURIComponent(place.gateway)}/${path}`;
  await fetch(url, { method: "POST", headers, body: JSON.stringify(body), credentials: "omit" }).then((answer) => answer.text(), () => "");
}

/** How an address of Cloudflare AI Gateway looks. */
export const oldExample = "https://gateway.ai.cloudflare.com/v1/{account}/{gateway}/openai";

/** The address here of what an address of Cloudflare AI Gateway led to; undefined where it is none. */
export function movedURL(old: string, gateway: string): string | undefined {
  const found = /^(?:https?|wss?):\/\/gateway\.ai\.cloudflare\.com\/v1\/[^/\s]+\/[^/\s]+(\/\S*)?$/i.exec(old.trim());
  if (!found) return undefined;
  return (old.trim().toLowerCase().startsWith("ws") ? gateway.replace(/^http/, "ws") : gateway) + (found[1] ?? "");
}
