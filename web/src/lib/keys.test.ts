import { afterEach, expect, test, vi } from "vitest";
import { changeKey, matchKey, switchKeys, type Shortcut } from "./keys";

const shortcut = (id: string, keys: string): Shortcut => ({ id, keys, label: "shell.home", run: vi.fn() });
const list = [shortcut("help", "?"), shortcut("logs", "g l"), shortcut("live", "l")];
const none = { key: "", at: 0 };

afterEach(() => {
  changeKey("live", "");
  switchKeys(true);
});

test("one key, or two in time", () => {
  expect(matchKey(list, "?", 0, none)?.id).toBe("help");
  expect(matchKey(list, "l", 5000, none)?.id).toBe("live");
  expect(matchKey(list, "l", 5000, { key: "g", at: 4000 })?.id).toBe("logs");
  expect(matchKey(list, "l", 9000, { key: "g", at: 4000 })?.id).toBe("live");
  expect(matchKey(list, "g", 0, none)).toBeUndefined();
});

test("what is registered last goes first", () => {
  expect(matchKey([...list, shortcut("top", "?")], "?", 0, none)?.id).toBe("top");
});

test("a key can be changed and given back", () => {
  changeKey("live", "p");
  expect(matchKey(list, "l", 0, none)).toBeUndefined();
  expect(matchKey(list, "p", 0, none)?.id).toBe("live");
  changeKey("live", "");
  expect(matchKey(list, "l", 0, none)?.id).toBe("live");
});
