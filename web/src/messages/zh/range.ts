// Choosing a range of time and its zone.
import type { Message } from "..";
import type en from "../en/range";

export default {
  label: "时间范围",
  "15m": "最近 15 分钟",
  "1h": "最近 1 小时",
  "6h": "最近 6 小时",
  "24h": "最近 24 小时",
  "7d": "最近 7 天",
  "30d": "最近 30 天",
  "90d": "最近 90 天",
  last: "最近 {text}",
  since: "自 {from} 起",
  until: "至 {to}",
  between: "{from} – {to}",
  custom: "自定义范围",
  from: "从",
  to: "到",
  apply: "应用",
  order: "结束时间早于开始时间。",
  zone: "时区",
  browser: "{zone}（本浏览器）",
} satisfies Record<keyof typeof en, Message>;
