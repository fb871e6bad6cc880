// Simplified Chinese.
import type { Language } from ".";
import settings from "./zh/settings";
import origin from "./zh/origin";
import copy from "./zh/copy";
import shell from "./zh/shell";

export default { settings, origin, copy, shell } satisfies Language;
