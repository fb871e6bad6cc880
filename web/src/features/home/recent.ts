// The newest requests of a list and of what happened since.
import type { Entry } from "@/api/types.gen";
import type { LiveEvent } from "@/lib/live";

/** Puts what happened into a list, newest first, and keeps the most recent ones. */
export function merge(list: Entry[], events: LiveEvent[], most: number): Entry[] {
  let now = list;
  for (const event of events) {
    if (event.type === "delete") {
      now = now.filter((log) => !event.ids.includes(log.id));
    } else if (event.type === "open" || event.type === "update" || event.type === "close") {
      const rest = now.filter((log) => log.id !== event.log.id);
      now = event.matches ? [event.log, ...rest] : rest;
    }
  }
  // Ids are made of the time of creation.
  return [...now].sort((a, b) => (a.id < b.id ? 1 : -1)).slice(0, most);
}
