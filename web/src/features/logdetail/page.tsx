import { Page } from "@/components/Page";
import { t } from "@/messages";

export default function LogDetailPage() {
  return <Page title={t("shell.logs")}>{null}</Page>;
}
