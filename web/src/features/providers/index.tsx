import { Page } from "@/components/Page";
import { t } from "@/messages";

export default function ProvidersPage() {
  return <Page title={t("shell.providers")}>{null}</Page>;
}
