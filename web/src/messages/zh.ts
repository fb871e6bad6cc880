// Simplified Chinese.
import type { Language } from ".";
import analytics from "./zh/analytics";
import budgets from "./zh/budgets";
import copy from "./zh/copy";
import detail from "./zh/detail";
import filter from "./zh/filter";
import frame from "./zh/frame";
import gateways from "./zh/gateways";
import grid from "./zh/grid";
import home from "./zh/home";
import instance from "./zh/instance";
import jobs from "./zh/jobs";
import json from "./zh/json";
import keys from "./zh/keys";
import logs from "./zh/logs";
import origin from "./zh/origin";
import play from "./zh/play";
import providers from "./zh/providers";
import range from "./zh/range";
import settings from "./zh/settings";
import shell from "./zh/shell";
import signin from "./zh/signin";
import status from "./zh/status";
import talk from "./zh/talk";

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
} satisfies Language;
