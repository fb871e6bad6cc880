import { Page } from "@/components/Page";
import { t } from "@/messages";

export default function HomePage() {
  return <Page title={t("shell.home")}>{null}</Page>;
}
