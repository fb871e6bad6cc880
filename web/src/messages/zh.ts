// Simplified Chinese.
import type { Language } from ".";
import copy from "./zh/copy";
import origin from "./zh/origin";
import range from "./zh/range";
import settings from "./zh/settings";
import shell from "./zh/shell";

export default { copy, origin, range, settings, shell } satisfies Language;
