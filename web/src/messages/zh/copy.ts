import type { Message } from "..";
import type en from "../en/copy";

export default {
  as: "复制为",
  url: "本页地址",
  cli: "命令",
  curl: "curl",
} satisfies Record<keyof typeof en, Message>;
