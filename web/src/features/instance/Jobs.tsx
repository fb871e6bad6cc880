// Long work: how far it is, and what it leaves.
import { address, call } from "@/api/client";
import { useCall } from "@/api/query";
import type { JobView } from "@/api/types.gen";
import { useAction } from "@/lib/action";
import { bytes, dateTime, duration, exact } from "@/lib/format";
import { useZone } from "@/lib/zone";
import { t } from "@/messages";
import { Button, buttonClass } from "@/ui/Button";
import { Badge, EmptyState, ErrorPanel, Skeleton } from "@/ui/State";

const path = "/client/v4/accounts/{account}/ai-gateway/jobs";
const account = { account: "default" };

export function Jobs() {
  const query = useCall(`GET ${path}`, account, { per_page: 50 }, { every: 2_000 });
  if (query.isPending) return <Skeleton lines={5} />;
  if (!query.data) return <ErrorPanel error={query.error} onRetry={() => void query.refetch()} />;
  const jobs = query.data.result ?? [];
  if (jobs.length === 0) return <EmptyState title={t("instance.jobsNone")}>{t("instance.jobsNoneText")}</EmptyState>;
  return (
    <ul className="divide-y divide-line rounded-lg border border-line bg-surface">
      {jobs.map((job) => (
        <Job key={job.id} job={job} />
      ))}
    </ul>
  );
}

const tones = { queued: "plain", running: "cache", done: "ok", failed: "bad", canceled: "warn" } as const;

function Job({ job }: { job: JobView }) {
  const [zone] = useZone();
  const action = useAction();
  const one = { ...account, id: job.id };
  const share = job.total ? Math.min(100, (job.done / job.total) * 100) : undefined;
  const active = job.state === "queued" || job.state === "running";
  return (
    <li className="px-4 py-2.5">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <span className="font-medium">{job.kind}</span>
        <Badge tone={tones[job.state]}>{t(`instance.${job.state}`)}</Badge>
        <span className="num text-muted">{job.total === null ? exact(job.done) : t("instance.ofText", { used: exact(job.done), limit: exact(job.total) })}</span>
        {job.left_ms !== null && <span className="text-muted">{t("instance.left", { time: duration(job.left_ms) })}</span>}
        <span className="ms-auto text-xs text-muted">
          {job.actor} · {dateTime(job.created_at, zone)}
        </span>
      </div>
      {active && share !== undefined && (
        <div role="progressbar" aria-valuenow={Math.round(share)} aria-valuemin={0} aria-valuemax={100} aria-label={job.kind} className="mt-2 h-1.5 overflow-hidden rounded-full bg-hover">
          <div className="h-full bg-accent" style={{ width: `${share}%` }} />
        </div>
      )}
      {job.message && <p className="mt-1 text-xs text-muted">{job.message}</p>}
      {job.error && <p className="mt-1 text-bad break-words">{job.error}</p>}
      {action.failure && <ErrorPanel error={action.failure} />}
      <div className="mt-1 flex flex-wrap gap-2 empty:hidden">
        {job.file && (
          <a className={buttonClass("plain", "sm")} href={address(`GET ${path}/{id}/result`, one)} download={job.file.name}>
            {t("instance.download")} ({bytes(job.file.bytes)})
          </a>
        )}
        {active && (
          <Button size="sm" busy={action.busy} onClick={() => void action.run(() => call(`POST ${path}/{id}/cancel`, one))}>
            {t("instance.cancel")}
          </Button>
        )}
        {job.resumable && (
          <Button size="sm" busy={action.busy} onClick={() => void action.run(() => call(`POST ${path}/{id}/resume`, one))}>
            {t("instance.resume")}
          </Button>
        )}
        {!active && (
          <Button size="sm" look="quiet" busy={action.busy} aria-label={`${t("shell.delete")}: ${job.kind}`} onClick={() => void action.run(() => call(`DELETE ${path}/{id}`, one))}>
            {t("shell.delete")}
          </Button>
        )}
      </div>
    </li>
  );
}
