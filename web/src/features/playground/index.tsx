import { Page } from "@/components/Page";
import { t } from "@/messages";

export default function PlaygroundPage() {
  return <Page title={t("shell.playground")}>{null}</Page>;
}
