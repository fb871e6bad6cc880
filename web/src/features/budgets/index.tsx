import { Page } from "@/components/Page";
import { t } from "@/messages";

export default function BudgetsPage() {
  return <Page title={t("shell.budgets")}>{null}</Page>;
}
