import { Page } from "@/components/Page";
import { t } from "@/messages";

export default function SignInPage() {
  return <Page title={t("shell.account")}>{null}</Page>;
}
