// English, and with it the list of all keys. Each area has its section in a file of its own.
import analytics from "./en/analytics";
import budgets from "./en/budgets";
import copy from "./en/copy";
import detail from "./en/detail";
import filter from "./en/filter";
import frame from "./en/frame";
import gateways from "./en/gateways";
import grid from "./en/grid";
import home from "./en/home";
import instance from "./en/instance";
import jobs from "./en/jobs";
import json from "./en/json";
import keys from "./en/keys";
import logs from "./en/logs";
import origin from "./en/origin";
import play from "./en/play";
import providers from "./en/providers";
import range from "./en/range";
import settings from "./en/settings";
import shell from "./en/shell";
import signin from "./en/signin";
import status from "./en/status";
import talk from "./en/talk";

export default {
  analytics,
  budgets,
  copy,
  detail,
  filter,
  frame,
  gateways,
  grid,
  home,
  instance,
  jobs,
  json,
  keys,
  logs,
  origin,
  play,
  providers,
  range,
  settings,
  shell,
  signin,
  status,
  talk,
};
