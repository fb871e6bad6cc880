// The process as a whole: for its admins. Each section says for itself what a role may not see.
import { Link, useParams } from "@tanstack/react-router";
import { Page } from "@/components/Page";
import { t, type Key } from "@/messages";
import { classes } from "@/ui/classes";
import { Audit } from "./Audit";
import { Jobs } from "./Jobs";
import { Members } from "./Members";
import { Status } from "./Status";

const sections: { id: string; label: Key; body: () => React.ReactNode }[] = [
  { id: "status", label: "instance.status", body: Status },
  { id: "members", label: "instance.members", body: Members },
  { id: "jobs", label: "instance.jobs", body: Jobs },
  { id: "audit", label: "instance.audit", body: Audit },
];

export default function InstancePage() {
  const { section } = useParams({ strict: false }) as { section?: string };
  const chosen = sections.find((s) => s.id === section) ?? sections[0]!;
  const Body = chosen.body;
  return (
    <Page title={t("shell.instance")} global>
      <nav aria-label={t("instance.sections")} className="mb-4 flex gap-1 overflow-x-auto border-b border-line">
        {sections.map((s) => (
          <Link
            key={s.id}
            to={s === sections[0] ? "/instance" : `/instance/${s.id}`}
            aria-current={s === chosen ? "page" : undefined}
            className={classes("-mb-px flex h-9 shrink-0 items-center border-b-2 px-2.5 no-underline", s === chosen ? "border-accent font-medium text-text" : "border-transparent text-muted hover:text-text")}
          >
            {t(s.label)}
          </Link>
        ))}
      </nav>
      <h2 className="sr-only">{t(chosen.label)}</h2>
      <Body />
    </Page>
  );
}
