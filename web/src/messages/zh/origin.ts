import type { Message } from "..";
import type en from "../en/origin";

export default {
  builtin: "内置",
  builtinHelp: "尚未有人设置：这是 Sluice 的默认行为，保存后采用您的选择。",
  file: "配置文件",
  fileHelp: "由配置文件规定，请在文件中修改，Sluice 会自动重新读取。",
  stored: "已保存",
  storedHelp: "由本页面、API 或命令行设置。",
  catalogue: "价目表",
  catalogueHelp: "来自价目表。",
} satisfies Record<keyof typeof en, Message>;
