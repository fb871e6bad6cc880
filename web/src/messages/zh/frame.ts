// What floats over pages, and what is said across their top.
import type { Message } from "..";
import type en from "../en/frame";

export default {
  demo: "演示流量：此处的一切都是虚构的，随 sluice demo 一起结束。",
  ends: "您的会话将于 {at} 结束。已输入的内容会保留。",
  signInAgain: "重新登录",
  palette: "前往、查找、运行",
  paletteHint: "页面、网关、日志 ID 或筛选条件",
  go: "前往",
  command: "运行",
  copyLink: "复制本页地址",
  filter: "按“{q}”筛选日志",
  found: "{n} 个结果",
  nothing: "没有匹配项。",
  keysText: "在输入框之外有效。",
  keysOn: "启用单键快捷键",
  change: "更改",
  changeOf: "更改按键：{what}",
  reset: "重置",
  press: "请按键",
  pressKey: "请按下用于“{what}”的键",
  local: "位于本机：无需登录",
  adminToken: "使用管理员令牌",
  gatewayToken: "使用网关令牌",
  notSignedIn: "未登录",
  processAdmin: "整个进程的管理员",
  roleIn: "{account} 的 {role}",
  notice: "提示",
  openPalette: "搜索与命令（⌘K，Ctrl K）",
} satisfies Record<keyof typeof en, Message>;
