import { Page } from "@/components/Page";
import { t } from "@/messages";

export default function KeysPage() {
  return <Page title={t("shell.keys")}>{null}</Page>;
}
