// Parses bodies beside the page.
import { flatten, parseAny, type TreeAnswer } from "./jsontree";

// The page's types know windows only; a worker's postMessage takes no address.
const page = self as unknown as { postMessage: (answer: TreeAnswer) => void };

self.addEventListener("message", (m: MessageEvent<{ source: string; most: number }>) => {
  let answer: TreeAnswer;
  try {
    answer = { tree: flatten(parseAny(m.data.source), m.data.most) };
  } catch (error) {
    answer = { error: error instanceof Error ? error.message : String(error) };
  }
  // oxlint-disable-next-line unicorn/require-post-message-target-origin
  page.postMessage(answer);
});
