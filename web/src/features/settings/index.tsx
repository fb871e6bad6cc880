import { Page } from "@/components/Page";
import { t } from "@/messages";

export default function SettingsPage() {
  return <Page title={t("shell.settings")}>{null}</Page>;
}
