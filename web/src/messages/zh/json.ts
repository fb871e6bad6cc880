import type { Message } from "..";
import type en from "../en/json";

export default {
  broken: "无法解析",
  notJson: "无法以树形显示：{reason}",
  cut: "已显示前 {n} 个值。",
  head: "已显示 {size} 中的前 {head}。",
  all: "全部显示",
  value: "值",
} satisfies Record<keyof typeof en, Message>;
