// Simplified Chinese.
import type { Language } from ".";
import copy from "./zh/copy";
import origin from "./zh/origin";
import range from "./zh/range";
import settings from "./zh/settings";
import shell from "./zh/shell";
import talk from "./zh/talk";
import json from "./zh/json";
import detail from "./zh/detail";

export default { detail, json, talk, copy, origin, range, settings, shell } satisfies Language;
