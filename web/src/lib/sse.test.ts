import { expect, test } from "vitest";
import { SseParser } from "./sse";

const stream = 'event: open\r\nid: 1-2\r\ndata: {"a":\r\ndata: 1}\r\n\r\n: ping\n\ndata: x\n\nid: 3\nevent:tick\ndata:\n\nevent: lost\n';
const want = [
  { event: "open", id: "1-2", data: '{"a":\n1}' },
  { event: "message", id: "1-2", data: "x" },
  { event: "tick", id: "3", data: "" },
];

test("events are the same wherever the text is cut", () => {
  for (let at = 0; at <= stream.length; at++) {
    const parser = new SseParser();
    expect([...parser.push(stream.slice(0, at)), ...parser.push(stream.slice(at))]).toEqual(want);
  }
  const parser = new SseParser();
  expect([...stream].flatMap((c) => parser.push(c))).toEqual(want);
});
