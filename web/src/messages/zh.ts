// Simplified Chinese.
import type { Language } from ".";
import copy from "./zh/copy";
import detail from "./zh/detail";
import gateways from "./zh/gateways";
import home from "./zh/home";
import json from "./zh/json";
import origin from "./zh/origin";
import range from "./zh/range";
import settings from "./zh/settings";
import shell from "./zh/shell";
import status from "./zh/status";
import talk from "./zh/talk";

export default { copy, detail, gateways, home, json, origin, range, settings, shell, status, talk } satisfies Language;
