import { Page } from "@/components/Page";
import { t } from "@/messages";

export default function InstancePage() {
  return <Page title={t("shell.instance")}>{null}</Page>;
}
