import { Page } from "@/components/Page";
import { t } from "@/messages";

export default function NewGatewayPage() {
  return <Page title={t("shell.gateways")}>{null}</Page>;
}
