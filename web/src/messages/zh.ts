// Simplified Chinese.
import type { Language } from ".";
import copy from "./zh/copy";
import shell from "./zh/shell";

export default { copy, shell } satisfies Language;
