// One message model for what all providers send: what the log's detail shows, and what the playground edits.

export type Role = "system" | "user" | "assistant" | "tool";

/** What an address of media may be: "data:", "https:", or nothing where the body names it by an id only. */
export interface Media {
  kind: "media";
  media: "image" | "audio" | "video" | "file";
  url?: string;
  type?: string;
  /** File name, id, or transcript: whatever the body says of it. */
  name?: string;
}

export type Part =
  | { kind: "text"; text: string }
  | { kind: "reasoning"; text: string; hidden?: boolean }
  | { kind: "call"; id: string; name: string; args: string }
  | { kind: "result"; id: string; name?: string; parts: Part[]; failed?: boolean }
  | Media
  | { kind: "citation"; title?: string; url?: string; text?: string }
  | { kind: "refusal"; text: string }
  | { kind: "error"; text: string; code?: string }
  | { kind: "vectors"; count: number; dimensions?: number }
  | { kind: "ranking"; rows: { index: number; score: number; text?: string }[] }
  | { kind: "json"; value: unknown };

export interface Message {
  role: Role;
  name?: string;
  parts: Part[];
}

export interface Tool {
  name: string;
  description?: string;
  schema?: unknown;
}

export interface Conversation {
  asked: Message[];
  answered: Message[];
  tools: Tool[];
  /** Why the answer ended, in the provider's word. */
  finish?: string;
  /** The model that the answer names. */
  model?: string;
}
