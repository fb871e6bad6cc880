import { Page } from "@/components/Page";
import { t } from "@/messages";

export default function AnalyticsPage() {
  return <Page title={t("shell.analytics")}>{null}</Page>;
}
