// Signing in, and one-time links.
import type { Message } from "..";
import type en from "../en/signin";

export default {
  title: "登录",
  email: "电子邮箱",
  password: "密码",
  name: "姓名（可选）",
  signIn: "登录",
  oidc: "使用 {name} 登录",
  out: "您已退出登录。",
  failed: "登录未成功",
  notNeeded: "无需登录：本机上的用户都可以使用。",
  goOn: "继续",
  claimTitle: "此 Sluice 尚未被认领",
  claimText: "请在它所在的机器上运行此命令，并打开它输出的链接。打开链接的人将成为管理员。",
  become: "成为管理员",
  becomeText: "此链接只能使用一次。之后您可以邀请其他人。",
  setPassword: "设置密码",
  setText: "您的所有会话都将结束。",
  passwordHelp: "至少 {n} 个字符。",
  short: "少于 {n} 个字符。",
  linkFailed: "此链接无效",
  toSignIn: "前往登录",
} satisfies Record<keyof typeof en, Message>;
