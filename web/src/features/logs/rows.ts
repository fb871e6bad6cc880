// The rows of the list: what was fetched, page by page in both directions, and what live events bring. They are in the
// order of their ids, which is that of time, the newest first. The class changes in place and tells by a version:
// copying a hundred thousand rows for each frame would be all that a browser does.
import type { Entry } from "@/api/types.gen";
import type { LiveEvent } from "@/lib/live";

export const pageSize = 200;
/** Rows held at most; those farthest from where one looks are dropped, and fetched again when wanted. */
export const maxRows = 100_000;
/** While nobody pages back, the tail keeps fewer. */
export const maxTail = 2_000;
/** New rows a second that are shown all; of more, some are left out until it is calmer. */
export const maxRate = 200;
/** New rows that wait while the list is paused; of more, the first page is fetched anew. */
const maxWaiting = 2_000;

/** How one direction goes on: by a cursor, from a moment, or not at all. */
export type More = { cursor: string } | { from: string } | null;

export class Rows {
  /** The newest first. */
  readonly list: Entry[] = [];
  private readonly at = new Set<string>();
  private readonly waiting = new Map<string, Entry>();
  /** Older rows. undefined: the first page is not there yet. */
  older: More | undefined;
  /** Newer rows, where the list does not begin at its newest. */
  newer: More = null;
  /** New rows are kept back. */
  private held = false;
  /** More rows waited than are kept: going on means fetching. */
  overflow = false;
  /** New rows that were left out, since the last fetch. */
  skipped = 0;
  private second = 0;
  private inSecond = 0;
  private paged = false;
  version = 0;
  private readonly listeners = new Set<() => void>();

  constructor(private readonly descending = true) {}

  readonly subscribe = (tell: () => void) => {
    this.listeners.add(tell);
    return () => void this.listeners.delete(tell);
  };

  readonly read = () => this.version;

  private changed() {
    this.version++;
    this.listeners.forEach((tell) => tell());
  }

  get pending(): number {
    return this.waiting.size;
  }

  has(id: string): boolean {
    return this.at.has(id);
  }

  /** Where the row is, or -1. */
  indexOf(id: string): number {
    if (!this.at.has(id)) return -1;
    if (!this.descending) return this.list.findIndex((row) => row.id === id);
    const i = this.place(id);
    return this.list[i]?.id === id ? i : -1;
  }

  /** The place of an id in the order: of the first row that is not newer. */
  private place(id: string): number {
    let low = 0;
    let high = this.list.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.list[middle]!.id > id) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Takes the first page in place of all that was there. */
  reset(page: Entry[], older: More, newer: More = null) {
    this.list.length = 0;
    this.at.clear();
    this.waiting.clear();
    this.overflow = false;
    this.skipped = 0;
    this.paged = false;
    this.append(page, older, newer);
    this.changed();
  }

  private append(page: Entry[], older: More, newer: More) {
    for (const row of page) this.add(row, this.list.length);
    this.older = older;
    this.newer = newer;
  }

  private add(row: Entry, index: number) {
    if (this.at.has(row.id)) return;
    this.at.add(row.id);
    this.list.splice(index, 0, row);
  }

  /** Adds a page of older rows; returns how many rows at the top were dropped for it. */
  addOlder(page: Entry[], older: More): number {
    this.paged = true;
    for (const row of page) this.add(row, this.list.length);
    this.older = older;
    const over = this.list.length - maxRows;
    if (over > 0) {
      for (const row of this.list.splice(0, over)) this.at.delete(row.id);
      this.newer = { from: this.list[0]!.created_at! };
      this.waiting.clear();
    }
    this.changed();
    return Math.max(over, 0);
  }

  /** Adds a page of newer rows, the oldest of them first; returns how many are new. */
  addNewer(page: Entry[], newer: More): number {
    const fresh = page.filter((row) => !this.at.has(row.id)).toReversed();
    for (const row of fresh) this.at.add(row.id);
    this.list.unshift(...fresh);
    this.newer = newer;
    this.trim(maxRows);
    this.changed();
    return fresh.length;
  }

  /** Brings the newest page into what is there; whole says that there is no other. false: they do not touch, so that
   * rows between would be missing. */
  merge(page: Entry[], whole: boolean): boolean {
    const last = page.at(-1);
    if (this.newer || !this.descending || (this.list.length && !whole && (!last || last.id > this.list[0]!.id))) return false;
    const known = new Set(page.map((row) => row.id));
    // What the page would show and does not is no more.
    for (const row of [...this.list, ...this.waiting.values()]) {
      if (!known.has(row.id) && row.ending !== "in_flight" && (whole || row.id > last!.id)) this.drop(row.id);
    }
    for (const row of page) this.put(row, false);
    this.skipped = 0;
    this.changed();
    return true;
  }

  private drop(id: string) {
    this.waiting.delete(id);
    const i = this.indexOf(id);
    if (i < 0) return;
    this.list.splice(i, 1);
    this.at.delete(id);
  }

  /** Sets a row that is there, or adds it; wait keeps an added one back. */
  private put(row: Entry, wait: boolean) {
    const i = this.indexOf(row.id);
    if (i >= 0) {
      this.list[i] = { ...this.list[i], ...row }; // an event has fewer fields than a page
    } else if (wait || this.waiting.has(row.id)) {
      if (this.waiting.size < maxWaiting || this.waiting.has(row.id)) this.waiting.set(row.id, row);
      else this.overflow = true;
    } else {
      this.add(row, this.place(row.id));
    }
  }

  /** Takes live events; returns how many rows were added at the top. */
  live(events: LiveEvent[], now: number): number {
    const before = this.list.length;
    for (const event of events) {
      if (event.type === "delete") event.ids.forEach((id) => this.drop(id));
      else if (event.type === "drop") this.skipped += event.n;
      else if ("log" in event) this.entry(event, now);
    }
    const added = this.list.length - before;
    if (added > 0) this.trim(this.paged ? maxRows : maxTail);
    this.changed();
    return added;
  }

  private entry(event: Extract<LiveEvent, { log: Entry }>, now: number) {
    const { log } = event;
    const known = this.at.has(log.id) || this.waiting.has(log.id);
    if (!event.matches) return this.drop(log.id);
    if (!known && event.type === "update" && this.older !== null && this.list.length && log.id < this.list.at(-1)!.id) return; // a correction of what is not fetched yet
    if (!known && !this.admit(now)) return;
    this.put(log, this.held || this.newer !== null);
  }

  /** Whether one more new row fits into this second. */
  private admit(now: number): boolean {
    const second = Math.floor(now / 1000);
    if (second !== this.second) {
      this.second = second;
      this.inSecond = 0;
    }
    if (++this.inSecond <= maxRate) return true;
    this.skipped++;
    return false;
  }

  private trim(most: number) {
    if (this.list.length <= most) return;
    for (const row of this.list.splice(most)) this.at.delete(row.id);
    this.older = { from: this.list.at(-1)!.created_at! };
  }

  /** Keeps new rows back, or lets those in that waited. false: more came than were kept, and are to be fetched. */
  hold(held: boolean): boolean {
    this.held = held;
    if (held) return true;
    this.release();
    return !this.overflow;
  }

  /** Lets the rows in that waited; returns how many. */
  release(): number {
    const before = this.list.length;
    for (const row of this.waiting.values()) this.add(row, this.place(row.id));
    this.waiting.clear();
    const added = this.list.length - before;
    if (added) {
      this.trim(this.paged ? maxRows : maxTail);
      this.changed();
    }
    return added;
  }

  /** The newest rows of which the first words are not known: events do not carry them. */
  unread(most: number): string[] {
    return this.list
      .slice(0, most)
      .filter((row) => row.preview === undefined && row.ending !== "in_flight")
      .map((row) => row.id);
  }

  /** Adds what is known of rows that are there. */
  fill(rows: Entry[]) {
    for (const row of rows) if (this.at.has(row.id)) this.put(row, false);
    this.changed();
  }

  remove(ids: Iterable<string>) {
    for (const id of ids) this.drop(id);
    this.changed();
  }
}
