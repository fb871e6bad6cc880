// English, and with it the list of all keys. Each area has its section in a file of its own.
import settings from "./en/settings";
import origin from "./en/origin";
import copy from "./en/copy";
import shell from "./en/shell";

export default { settings, origin, copy, shell };
