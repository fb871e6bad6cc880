// What is shown instead of a page that broke, or that there is none of.
import { Link, useRouterState, type ErrorComponentProps } from "@tanstack/react-router";
import { t } from "@/messages";
import { Page } from "@/components/Page";

/** A chunk that is gone: the binary was replaced by one with other files. */
const gone = /dynamically imported module|module script failed|Failed to fetch/i;

export function Crash({ error, reset }: ErrorComponentProps) {
  const message = error instanceof Error ? error.message : String(error);
  const updated = gone.test(message);
  return (
    <Page title={t("shell.crashTitle")}>
      <p role="alert">{updated ? t("shell.newVersion") : t("shell.crashText", { message })}</p>
      <p className="mt-3">
        <button type="button" className="rounded-md border border-control px-3 py-1" onClick={() => (updated ? location.reload() : reset())}>
          {updated ? t("shell.reload") : t("shell.retry")}
        </button>
      </p>
    </Page>
  );
}

export function NotFound() {
  const path = useRouterState({ select: (s) => s.location.pathname });
  return (
    <Page title={t("shell.notFoundTitle")}>
      <p>{t("shell.notFoundText", { path })}</p>
      <p className="mt-3">
        <Link to="/">{t("shell.notFoundHome")}</Link>
      </p>
    </Page>
  );
}
