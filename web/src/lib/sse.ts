// Server-sent events from a fetched body. EventSource cannot tell a refusal from a broken line, nor take headers.

export interface SseEvent {
  event: string;
  data: string;
  /** The last id so far: events without one leave it as it is. */
  id: string;
}

/** Puts events together from text, wherever it is cut. */
export class SseParser {
  private rest = "";
  private event = "";
  private data: string[] = [];
  private id = "";
  private afterCr = false;

  push(text: string): SseEvent[] {
    const found: SseEvent[] = [];
    if (this.afterCr && text.startsWith("\n")) text = text.slice(1);
    if (text === "") return found;
    this.afterCr = text.endsWith("\r");
    const lines = (this.rest + text).split(/\r\n|\n|\r/);
    this.rest = lines.pop()!;
    for (const line of lines) {
      const event = this.line(line);
      if (event) found.push(event);
    }
    return found;
  }

  private line(line: string): SseEvent | undefined {
    if (line === "") {
      const { event, data } = this;
      this.event = "";
      this.data = [];
      return data.length ? { event: event || "message", data: data.join("\n"), id: this.id } : undefined;
    }
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (name === "event") this.event = value;
    else if (name === "data") this.data.push(value);
    else if (name === "id" && !value.includes("\0")) this.id = value;
    return undefined;
  }
}

/** Reads the events of an answer's body as they come, those of each piece together. */
export async function* sseOf(answer: Response): AsyncGenerator<SseEvent[]> {
  const reader = answer.body!.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, BufferSource>).getReader();
  const parser = new SseParser();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const events = parser.push(value);
      if (events.length) yield events;
    }
  } finally {
    void reader.cancel().catch(() => undefined);
  }
}
