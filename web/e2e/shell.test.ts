import { afterAll, beforeAll, expect, test } from "vitest";
import { Stack, Surfer, violations } from "./stack";

let stack: Stack;
let surfer: Surfer;
beforeAll(async () => {
  stack = await Stack.start();
  surfer = await Surfer.start();
});
afterAll(async () => {
  await surfer?.stop();
  await stack?.stop();
});

test("an address that leads nowhere says so, in both themes, and nothing else is asked for", async () => {
  for (const colorScheme of ["light", "dark"] as const) {
    const page = await surfer.page(stack, "nowhere", { colorScheme });
    await page.getByRole("heading", { name: "There is no such page" }).waitFor();
    expect(await page.evaluate(() => document.documentElement.dataset.theme)).toBe(colorScheme);
    expect(await violations(page)).toEqual([]);
    await page.context().close();
  }
  expect(surfer.take()).toEqual([]);
});
