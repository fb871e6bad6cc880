// The list of gateways, and making one.
import type { Message } from "..";
import type en from "../en/gateways";

export default {
  title: "网关",
  caption: "各网关及其最近 24 小时的情况",
  new: "新建网关",
  none: "还没有网关",
  noneText: "网关是应用程序用来代替提供商地址的地址。",
  name: "名称",
  requests: "请求（24 小时）",
  requestsOf: "最近 24 小时 {text} 个请求：打开日志",
  errors: "错误",
  cached: "缓存",
  cost: "费用",
  last: "最近请求",
  never: "暂无",
  ofFile: "来自配置文件",
  token: "令牌",
  unpriced: "{n} 个请求没有已知价格，未计入",
  nameHelp: "名称是地址的一部分，之后不能更改。",
  badName: "请使用 1 到 64 个小写字母、数字、- 或 _。",
  address: "OpenAI SDK 的地址将是：",
  example: "名称",
  log: "记录请求",
  logHelp: "每个请求一行，包含提示与回答，都保存在本机。",
  cache: "缓存回答 5 分钟",
  cacheHelp: "相同的请求会立即得到回答，不产生费用。",
  auth: "要求网关令牌",
  authHelp: "调用方除提供商密钥外，还需要本网关的令牌。",
  create: "创建网关",
} satisfies Record<keyof typeof en, Message>;
