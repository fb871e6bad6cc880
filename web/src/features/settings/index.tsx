// The settings of a gateway, a section at a time, saved together.
import { Link, useParams } from "@tanstack/react-router";
import { useEffect } from "react";
import { OriginBadge } from "@/components/Origin";
import { CopyAs } from "@/components/CopyAs";
import { Page } from "@/components/Page";
import { address } from "@/api/client";
import { at, usePlace, type Place } from "@/lib/place";
import { t, type Key } from "@/messages";
import { Button } from "@/ui/Button";
import { classes } from "@/ui/classes";
import { Banner, ErrorPanel, Skeleton } from "@/ui/State";
import { Conflict } from "./Conflict";
import { useDraft, type Draft } from "./draft";
import { Domains } from "./Domains";
import { General } from "./General";
import { History } from "./History";
import { Access, Caching, Limits, Logs, Retries } from "./sections";

interface SectionProps {
  draft: Draft;
  place: Place;
}

const sections: { id: string; label: Key; body: (props: SectionProps) => React.ReactNode }[] = [
  { id: "general", label: "settings.general", body: General },
  { id: "caching", label: "settings.caching", body: Caching },
  { id: "limits", label: "settings.limits", body: Limits },
  { id: "retries", label: "settings.retries", body: Retries },
  { id: "logs", label: "settings.logs", body: Logs },
  { id: "access", label: "settings.access", body: Access },
  { id: "domains", label: "settings.domains", body: Domains },
  { id: "history", label: "settings.history", body: History },
];

export default function SettingsPage() {
  const place = usePlace();
  return <SettingsOf key={`${place.account}/${place.gateway}`} place={place} />; // another gateway's edits are others
}

function SettingsOf({ place }: { place: Place }) {
  const { section } = useParams({ strict: false }) as { section?: string };
  const { query, draft } = useDraft(place);
  const chosen = sections.find((s) => s.id === section) ?? sections[0]!;
  const Body = chosen.body;
  return (
    <Page
      title={t("shell.settings")}
      actions={
        <>
          {draft && <OriginBadge origin={draft.gateway.origin} />}
          <CopyAs cli={`sluice gateway get ${place.gateway}`} path={address("GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}", place)} />
        </>
      }
    >
      <div className="flex flex-col gap-4 lg:flex-row lg:gap-8">
        <nav aria-label={t("settings.sections")} className="flex shrink-0 gap-1 overflow-x-auto pb-1 lg:w-44 lg:flex-col">
          {sections.map((s) => (
            <Link
              key={s.id}
              to={at(place, s === sections[0] ? "settings" : `settings/${s.id}`)}
              aria-current={s === chosen ? "page" : undefined}
              className={classes("flex h-8 shrink-0 items-center rounded-md px-2.5 no-underline", s === chosen ? "bg-hover font-medium text-text" : "text-muted hover:bg-hover hover:text-text")}
            >
              {t(s.label)}
            </Link>
          ))}
        </nav>
        <div className="min-w-0 max-w-2xl flex-1">
          {query.isError && !draft && <ErrorPanel error={query.error} onRetry={() => void query.refetch()} />}
          {!draft && query.isPending && <Skeleton lines={6} />}
          {draft && (
            <>
              {draft.readOnly && (
                <div className="mb-4">
                  <Banner tone="warn">{t("settings.readOnly")}</Banner>
                </div>
              )}
              {draft.failure && (
                <div className="mb-4">
                  <ErrorPanel error={draft.failure} />
                </div>
              )}
              <h2 className="mb-3 text-lg font-semibold">{t(chosen.label)}</h2>
              <Body draft={draft} place={place} />
              <UnsavedBar draft={draft} />
              <Conflict draft={draft} />
            </>
          )}
        </div>
      </div>
    </Page>
  );
}

/** How much is not saved, and the buttons for it; Ctrl or Command with S saves. */
function UnsavedBar({ draft }: { draft: Draft }) {
  const some = draft.changed.length > 0;
  useEffect(() => {
    if (!some) return;
    const keys = (e: KeyboardEvent) => {
      if ((e.metaKey || e.ctrlKey) && e.key === "s") {
        e.preventDefault();
        void draft.save();
      }
    };
    window.addEventListener("keydown", keys);
    return () => window.removeEventListener("keydown", keys);
  });
  if (!some) return null;
  return (
    <div className="sticky bottom-16 z-10 mt-6 flex flex-wrap items-center gap-2 rounded-lg border border-line bg-surface px-4 py-2 shadow-float sm:bottom-4">
      <p role="status" className="flex-1">
        {t("settings.unsaved", { n: draft.changed.length })}
      </p>
      <Button onClick={draft.discard}>{t("shell.discard")}</Button>
      <Button look="primary" busy={draft.saving} onClick={() => void draft.save()}>
        {t("shell.save")}
      </Button>
    </div>
  );
}
