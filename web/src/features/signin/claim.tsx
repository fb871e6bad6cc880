import { Page } from "@/components/Page";
import { t } from "@/messages";

export default function ClaimPage() {
  return <Page title={t("shell.account")}>{null}</Page>;
}
