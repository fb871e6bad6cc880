// Live events: log entries, jobs and first-run hints as they happen. All tabs of a browser share one stream per account:
// the tab that holds a Web Lock reads it and hands the events on over a BroadcastChannel; hidden tabs take no part.
import { useEffect, useRef, useState } from "react";
import type { Entry, JobView, MissView } from "@/api/types.gen";
import { pagesPath, prefix } from "./base";
import { sseOf } from "./sse";

type LiveKind = "logs" | "jobs" | "hello";

export interface LiveSub {
  account: string;
  kinds: LiveKind[];
  /** Of logs: which of them, in the filter language. The account's other gateways are left out by ofGateway(). */
  q?: string;
}

export type LiveEvent =
  /** The state of an entry. matches is false for one that no longer passes the filter. */
  | { type: "open" | "update" | "close"; matches: boolean; log: Entry }
  | { type: "delete"; ids: string[] }
  | { type: "job"; job: JobView }
  | { type: "hello"; miss: MissView }
  /** n events were left out: the browser or the network is too slow. */
  | { type: "drop"; n: number }
  /** From here on nothing is missed, but something may have been before: fetch anew what you show. */
  | { type: "resync" };

/** off: not asked for, or the tab is hidden. denied: who is signed in may not, or no longer. full: there are 8 others. */
export type LiveState = "off" | "connecting" | "live" | "reconnecting" | "denied" | "full";

const maxSubs = 8;
/** How long a tab may be hidden before it leaves: changing tabs back and forth costs nothing. */
const leaveAfter = 10_000;
/** The server says something every 15 s; a stream that is silent for longer is dead. */
const silentFor = 40_000;
/** Tabs that do not answer for so long are gone, without having said so. */
const askEvery = 20_000;

/** The filter for one gateway's log entries that pass q. */
export function ofGateway(gateway: string, q = ""): string {
  return `gateway:"${gateway.replace(/[\\"]/g, "\\$&")}" ${q}`.trim();
}

/** What a tab wants: "jobs", "hello", or "logs:" and a filter. */
type Want = string;

const logs = "logs:";

function wantsOf(sub: LiveSub): Want[] {
  return sub.kinds.map((kind) => (kind === "logs" ? logs + (sub.q ?? "") : kind));
}

/** An event with the want that it answers; "" is for all. */
type Addressed = { to: Want; event: LiveEvent };

type Message =
  | { kind: "want"; tab: string; wants: Want[] }
  | { kind: "who" }
  | { kind: "events"; events: Addressed[]; place: string }
  | { kind: "state"; state: LiveState; wants: Want[]; place: string };

interface Listener {
  wants: Want[];
  /** A stream that has all its wants has begun. */
  joined: boolean;
  waiting: LiveEvent[];
  tell: (events: LiveEvent[]) => void;
  state: (state: LiveState) => void;
}

/** An account's live events in this tab. */
class Hub {
  private readonly tab = Array.from(crypto.getRandomValues(new Uint32Array(3)), (n) => n.toString(36)).join("");
  private readonly name: string;
  private readonly channel: BroadcastChannel;
  private readonly listeners = new Set<Listener>();
  private leader: Leader | undefined;
  private candidacy: AbortController | undefined;
  private place = "";
  private now: { state: LiveState; wants: Want[] } = { state: "connecting", wants: [] };
  private away: ReturnType<typeof setTimeout> | undefined;
  private flushing = false;

  constructor(readonly account: string) {
    // Without locks, which plain HTTP from elsewhere does not have, each tab that is looked at has a stream of its own.
    this.name = `sluice.live:${pagesPath}:${account}${"locks" in navigator ? "" : `:${this.tab}`}`;
    this.channel = new BroadcastChannel(this.name);
    this.channel.addEventListener("message", (m: MessageEvent<Message>) => this.receive(m.data));
    document.addEventListener("visibilitychange", () => this.seen());
    addEventListener("pagehide", () => this.leave());
    addEventListener("pageshow", (e) => e.persisted && this.seen());
  }

  add(listener: Listener) {
    this.listeners.add(listener);
    queueMicrotask(() => this.announce()); // one subscription in place of another is one change
  }

  remove(listener: Listener) {
    this.listeners.delete(listener);
    queueMicrotask(() => this.announce());
  }

  /** Whether this tab takes part: it shows something, and somebody can see it. */
  private get present(): boolean {
    return this.listeners.size > 0 && this.away !== gone;
  }

  private seen() {
    if (document.visibilityState === "visible") {
      if (this.away !== gone) clearTimeout(this.away);
      this.away = undefined;
      this.announce();
    } else if (this.away === undefined) {
      this.away = setTimeout(() => this.leave(), leaveAfter);
    }
  }

  private leave() {
    if (this.away !== gone) clearTimeout(this.away);
    this.away = gone;
    for (const l of this.listeners) {
      l.joined = false;
      l.state("off");
    }
    this.announce();
  }

  /** Tells the leader what this tab wants, and stands for leader itself. */
  private announce() {
    const wants = this.wants();
    this.send({ kind: "want", tab: this.tab, wants });
    if (wants.length && !this.candidacy) void this.stand();
    if (wants.length) return this.settle();
    this.place = ""; // who comes back fetches anew, instead of being told all that happened meanwhile
    this.now = { state: "connecting", wants: [] };
    this.candidacy?.abort();
    this.candidacy = undefined;
    this.leader?.stop();
  }

  private async stand() {
    const candidacy = new AbortController();
    this.candidacy = candidacy;
    const lead = async () => {
      if (candidacy.signal.aborted) return;
      const leader = new Leader(this.account, this.place, (m) => this.send(m));
      this.leader = leader;
      this.send({ kind: "who" });
      await leader.run();
      if (this.leader === leader) this.leader = undefined;
    };
    if (!("locks" in navigator)) return lead();
    await navigator.locks.request(this.name, { signal: candidacy.signal }, lead).catch(() => undefined);
  }

  /** A message to all tabs, this one included. */
  private send(m: Message) {
    this.channel.postMessage(m); // oxlint-disable-line unicorn/require-post-message-target-origin -- a channel has none
    this.receive(m);
  }

  private receive(m: Message) {
    switch (m.kind) {
      case "want":
        this.leader?.want(m.tab, m.wants);
        break;
      case "who":
        if (this.present) this.send({ kind: "want", tab: this.tab, wants: this.wants() });
        break;
      case "events":
        if (m.place && this.present) this.place = m.place;
        for (const l of this.listeners) this.take(l, m.events);
        break;
      case "state":
        this.now = m;
        if (m.place && this.present) this.place = m.place;
        this.settle();
        break;
    }
  }

  private wants(): Want[] {
    return this.present ? [...new Set([...this.listeners].flatMap((l) => l.wants))] : [];
  }

  /** Brings the state to the listeners; those that a stream has just begun to serve begin with a resync. */
  private settle() {
    if (!this.present) return;
    const { state, wants } = this.now;
    for (const l of this.listeners) {
      const served = l.wants.every((w) => wants.includes(w));
      if (state === "live" && served && !l.joined) {
        l.joined = true;
        this.queue(l, { type: "resync" });
      }
      l.state(shown(state, served, l.joined, wants));
    }
  }

  private take(l: Listener, events: Addressed[]) {
    if (!l.joined) return;
    for (const { to, event } of events) if (to === "" || l.wants.includes(to)) this.queue(l, event);
  }

  private queue(l: Listener, event: LiveEvent) {
    l.waiting.push(event);
    if (this.flushing) return;
    this.flushing = true;
    // One rendering per frame, however many events came; hidden tabs have no frames.
    if (document.visibilityState === "visible") requestAnimationFrame(() => this.flush());
    else setTimeout(() => this.flush(), 200);
  }

  private flush() {
    this.flushing = false;
    for (const l of this.listeners) {
      if (!l.waiting.length) continue;
      const events = l.waiting;
      l.waiting = [];
      l.tell(events);
    }
  }
}

/** The state that a listener is told. */
function shown(state: LiveState, served: boolean, joined: boolean, wants: Want[]): LiveState {
  if (state === "live" && !served) return wants.filter(isLogs).length >= maxSubs ? "full" : "connecting";
  return state === "reconnecting" && !joined ? "connecting" : state;
}

function isLogs(w: Want): boolean {
  return w.startsWith(logs);
}

/** Marks a tab that has left. */
const gone = -1 as unknown as ReturnType<typeof setTimeout>;

/** Reads the one stream for all tabs. */
class Leader {
  private state: LiveState | undefined;
  /** The stream was given up because it was silent. */
  private dead = false;
  private readonly tabs = new Map<string, { wants: Want[]; heard: number }>();
  private stopped = false;
  private served: Want[] = [];
  private reconnect: AbortController | undefined;
  private wake: (() => void) | undefined;

  constructor(
    private readonly account: string,
    private place: string,
    private readonly send: (m: Message) => void,
  ) {}

  stop() {
    this.stopped = true;
    this.reconnect?.abort();
    this.wake?.();
  }

  want(tab: string, wants: Want[]) {
    if (wants.length) this.tabs.set(tab, { wants, heard: Date.now() });
    else this.tabs.delete(tab);
    const all = this.all();
    // A want that nobody has any more stays until the next change.
    if (all.some((w) => !this.served.includes(w)) || (!all.length && this.served.length)) {
      this.reconnect?.abort();
      this.wake?.();
    } else if (this.state) {
      this.say(this.state);
    }
  }

  private say(state: LiveState) {
    this.state = state;
    this.send({ kind: "state", state, wants: this.served, place: this.place });
  }

  /** What the stream is to carry: those that came first, where there are too many. */
  private all(): Want[] {
    const all = [...new Set([...this.tabs.values()].flatMap((t) => t.wants))];
    return [...all.filter((w) => !isLogs(w)), ...all.filter(isLogs).slice(0, maxSubs)];
  }

  async run() {
    const asking = setInterval(() => {
      for (const [tab, t] of this.tabs) if (Date.now() - t.heard > 2 * askEvery + 5_000) this.tabs.delete(tab);
      this.send({ kind: "who" });
    }, askEvery);
    let failures = 0;
    await pause(30); // the other tabs' wants come in: one connection instead of several
    while (!this.stopped) {
      this.served = this.all();
      if (!this.served.length) {
        await this.change(60_000);
        continue;
      }
      this.reconnect = new AbortController();
      try {
        if (await this.connect(this.reconnect)) failures = 0;
      } catch {
        // A broken line, and our own abort, end alike: the loop goes on from the last place.
      }
      if (this.stopped) break;
      if (this.reconnect.signal.aborted && !this.dead) {
        await pause(20);
        continue;
      }
      this.dead = false;
      failures++;
      if (this.state !== "denied") this.say("reconnecting");
      await this.change(this.state === "denied" ? 60_000 : Math.min(10_000, 250 * 2 ** failures) * (0.5 + Math.random() / 2));
    }
    clearInterval(asking);
  }

  /** Waits until somebody wants something else, or for ms. */
  private change(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wake = () => (clearTimeout(timer), resolve());
    });
  }

  /** Reads a stream to its end, and says whether there was one. */
  private async connect(abort: AbortController): Promise<boolean> {
    const filters = this.served.filter(isLogs);
    const kinds = (["logs", "jobs", "hello"] as const).filter((k) => (k === "logs" ? filters.length : this.served.includes(k)));
    const query = new URLSearchParams({ kinds: kinds.join(",") });
    filters.forEach((f, i) => query.append("sub", `${i}:${f.slice(logs.length)}`));
    const headers: Record<string, string> = this.place ? { "Last-Event-ID": this.place } : {};
    let watchdog: ReturnType<typeof setTimeout> | undefined;
    const heard = () => {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => {
        this.dead = true;
        abort.abort();
      }, silentFor);
    };
    heard();
    try {
      const answer = await fetch(`${prefix}/client/v4/accounts/${encodeURIComponent(this.account)}/ai-gateway/events?${query}`, { headers, signal: abort.signal, credentials: "same-origin" });
      if (!answer.ok) {
        void answer.body?.cancel();
        if (answer.status === 401 || answer.status === 403) this.say("denied");
        return false;
      }
      let begun = false;
      for await (const events of sseOf(answer)) {
        heard();
        const told: Addressed[] = [];
        for (const e of events) {
          if (e.id) this.place = e.id;
          const one = read(e.event, e.data, filters);
          if (one) told.push(one);
        }
        this.send({ kind: "events", events: told, place: this.place });
        if (!begun) this.say("live");
        begun = true;
      }
      return begun;
    } finally {
      clearTimeout(watchdog);
    }
  }
}

function read(type: string, text: string, filters: Want[]): Addressed | undefined {
  if (type === "tick") return undefined;
  const data = JSON.parse(text) as { sub?: string; matches?: boolean; log?: Entry; ids?: string[]; n?: number };
  const to = data.sub === undefined ? "" : (filters[Number(data.sub)] ?? "");
  switch (type) {
    case "open":
    case "update":
    case "close":
      return { to, event: { type, matches: data.matches ?? true, log: data.log! } };
    case "delete":
      return { to: "", event: { type, ids: data.ids! } };
    case "drop":
      return { to, event: { type, n: data.n! } };
    case "job":
      return { to: "jobs", event: { type, job: data as unknown as JobView } };
    case "hello":
      return { to: "hello", event: { type, miss: data as unknown as MissView } };
    case "resync":
      return { to: "", event: { type } };
  }
  return undefined;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

const hubs = new Map<string, Hub>();

function hubOf(account: string): Hub {
  let hub = hubs.get(account);
  if (!hub) hubs.set(account, (hub = new Hub(account)));
  return hub;
}

/**
 * Follows live events, and tells those of a frame together. The first is a resync: what was fetched before it may lack
 * something, what is fetched after it and followed by the events lacks nothing. null follows nothing.
 */
export function useLive(sub: LiveSub | null, handler: (events: LiveEvent[]) => void): LiveState {
  const [state, setState] = useState<LiveState>("off");
  const latest = useRef(handler);
  useEffect(() => {
    latest.current = handler;
  });
  const key = sub && JSON.stringify([sub.account, ...wantsOf(sub)]);
  useEffect(() => {
    if (!key) return;
    const [account, ...wants] = JSON.parse(key) as [string, ...Want[]];
    const listener: Listener = { wants, joined: false, waiting: [], tell: (events) => latest.current(events), state: setState };
    const hub = hubOf(account);
    hub.add(listener);
    return () => {
      hub.remove(listener);
      setState("off");
    };
  }, [key]);
  return state;
}
