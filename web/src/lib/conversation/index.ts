// What was said in a logged exchange, from the bytes of its request and its answer.
import { readAnswer, type Answer } from "./answers";
import { arrayValues, eventValue, splitEvents, type StreamEvent } from "./events";
import { formFields } from "./form";
import { at, list, parse, record, records } from "./json";
import type { Conversation } from "./model";
import { readRequest, type Question } from "./requests";
import { assemble, gemini } from "./streams";

export interface StoredBody {
  bytes: Uint8Array;
  type: string;
}

const utf8 = new TextDecoder();

/** undefined: neither side has a shape that is known; the raw bodies are all there is to show. */
export function readConversation(request?: StoredBody, response?: StoredBody, step = 0): Conversation | undefined {
  const question = request && readQuestion(request, step);
  const answer = response && readReply(response);
  if (!question && !answer) return undefined;
  return { asked: question?.asked ?? [], tools: question?.tools ?? [], answered: answer?.answered ?? [], finish: answer?.finish, model: answer?.model };
}

function readQuestion(body: StoredBody, step: number): Question | undefined {
  const form = formFields(body);
  if (form) return form;
  return readRequest(stepOf(parse(utf8.decode(body.bytes)), step));
}

/** The request of one step, where the body is a universal request's list of them. */
export function stepOf(body: unknown, step: number): unknown {
  const steps = Array.isArray(body) ? records(body) : [];
  if (steps.length && steps.every((s) => s.provider !== undefined && s.query !== undefined)) return at(steps, step, "query");
  return record(body)?.provider !== undefined && record(record(body)?.query) ? record(body)?.query : body;
}

/** An answer, whether it came at once or as a stream. */
export function readReply(body: StoredBody): Answer | undefined {
  const events = splitEvents(body.bytes, body.type);
  if (events) return readAnswer(assembled(events));
  if (/^(image|audio|video)\//.test(body.type)) return mediaReply(body);
  const source = utf8.decode(body.bytes).trim();
  const value = parse(source);
  if (value === undefined) return source && body.type.startsWith("text/plain") ? { answered: [{ role: "assistant", parts: [{ kind: "text", text: source }] }] } : undefined;
  const pieces = arrayValues(value);
  return readAnswer(pieces ? (gemini(records(pieces)) ?? list(value)) : value);
}

/** What a stream comes to: the answer that the same call gives without streaming. */
export function assembled(events: StreamEvent[]): unknown {
  const chunks = events.filter((e) => e.data.trim() !== "[DONE]").map((e) => ({ name: e.name, value: eventValue(e) }));
  return assemble(chunks) ?? (chunks.length === 1 ? chunks[0]!.value : chunks.map((c) => c.value).find((v) => record(v)?.error !== undefined));
}

/** A picture or a sound that is the whole body: speech, and what image models answer. */
function mediaReply(body: StoredBody): Answer {
  const kind = body.type.split("/")[0] as "image" | "audio" | "video";
  let binary = "";
  for (let i = 0; i < body.bytes.length; i += 0x8000) binary += String.fromCharCode(...body.bytes.subarray(i, i + 0x8000));
  return { answered: [{ role: "assistant", parts: [{ kind: "media", media: kind, type: body.type, url: `data:${body.type.split(";")[0]};base64,${btoa(binary)}` }] }] };
}

/** Reads an answer that was put together, or came at once, as messages. */
export { readAnswer as readAnswerOf } from "./answers";
