// English, and with it the list of all keys. Each area has its section in a file of its own.
import copy from "./en/copy";
import origin from "./en/origin";
import range from "./en/range";
import settings from "./en/settings";
import shell from "./en/shell";
import talk from "./en/talk";
import json from "./en/json";
import detail from "./en/detail";

export default { detail, json, talk, copy, origin, range, settings, shell };
