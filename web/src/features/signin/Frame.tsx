// A small page with nothing around it.
import type { ReactNode } from "react";
import { Page } from "@/components/Page";
import { t } from "@/messages";

export function Frame({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div className="mx-auto flex min-h-dvh max-w-md flex-col justify-center">
      <p className="px-4 text-md font-semibold text-muted sm:px-6">{t("shell.product")}</p>
      <Page global title={title}>
        <div className="flex flex-col gap-4 rounded-lg border border-line bg-surface p-5">{children}</div>
      </Page>
    </div>
  );
}
