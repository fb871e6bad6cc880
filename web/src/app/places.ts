// The pages that one can go to from anywhere, with their keys.
import type { Place } from "@/lib/place";
import { at } from "@/lib/place";
import type { Key } from "@/messages";

interface Destination {
  id: string;
  keys: string;
  label: Key;
  to: string;
}

export function destinations(place: Place): Destination[] {
  const pages: [string, string, Key][] = [
    ["", "h", "shell.home"],
    ["logs", "l", "shell.logs"],
    ["analytics", "a", "shell.analytics"],
    ["playground", "p", "shell.playground"],
    ["providers", "v", "shell.providers"],
    ["keys", "k", "shell.keys"],
    ["budgets", "b", "shell.budgets"],
    ["settings", "s", "shell.settings"],
  ];
  const ofGateway = pages.map(([page, key, label]) => ({ id: `go.${page || "home"}`, keys: `g ${key}`, label, to: at(place, page) }));
  return [...ofGateway, { id: "go.gateways", keys: "g g", label: "shell.gateways", to: "/" }, { id: "go.instance", keys: "g i", label: "shell.instance", to: "/instance" }];
}
