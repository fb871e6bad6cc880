// Long work of the account, in the top bar: what runs, how far it is, and what it has left for download.
import { Download, ListTodo, RotateCcw, X } from "lucide-react";
import { useMemo, useState } from "react";
import { address, call, type ApiError } from "@/api/client";
import { useCall } from "@/api/query";
import type { JobView } from "@/api/types.gen";
import { bytes, dateTime, duration, exact } from "@/lib/format";
import { useLive } from "@/lib/live";
import { usePlace } from "@/lib/place";
import { toast } from "@/lib/toast";
import { useZone } from "@/lib/zone";
import { t, type Key } from "@/messages";
import { IconButton } from "@/ui/Button";
import { Popover } from "@/ui/Overlay";
import { Badge } from "@/ui/State";

const jobs = "/client/v4/accounts/{account}/ai-gateway/jobs";

const kinds: Record<string, Key> = { "export-logs": "jobs.export", "delete-logs": "jobs.delete", "reprice-logs": "jobs.reprice", backup: "jobs.backup" };
const states: Record<JobView["state"], { word: Key; tone: "ok" | "bad" | "warn" | "plain" }> = {
  queued: { word: "jobs.queued", tone: "plain" },
  running: { word: "jobs.running", tone: "warn" },
  done: { word: "jobs.done", tone: "ok" },
  failed: { word: "jobs.failed", tone: "bad" },
  canceled: { word: "jobs.canceled", tone: "plain" },
};
const runs = (j: JobView) => j.state === "queued" || j.state === "running";

export default function JobBadge() {
  const { account } = usePlace();
  const [zone] = useZone();
  const [live, setLive] = useState<ReadonlyMap<string, JobView>>(new Map());
  const [open, setOpen] = useState(false);
  const list = useCall(`GET ${jobs}`, { account }, { per_page: 20 }, { staleTime: 60_000 });
  useLive({ account, kinds: ["jobs"] }, (events) => {
    if (events.some((e) => e.type === "resync")) void list.refetch();
    const changed = events.flatMap((e) => (e.type === "job" ? [e.job] : []));
    if (changed.length) setLive((before) => new Map([...before, ...changed.map((j) => [j.id, j] as const)]));
  });
  const all = useMemo(() => {
    const known = new Map((list.data?.result ?? []).map((j) => [j.id, j]));
    // What was told live is newer than what was listed, unless that says that it has ended.
    for (const [id, j] of live) if (!known.has(id) || runs(known.get(id)!)) known.set(id, j);
    return [...known.values()].filter((j) => j.account_id === null || j.account_id === account).sort((a, b) => (a.created_at < b.created_at ? 1 : -1));
  }, [list.data, live, account]);
  const running = all.filter(runs);
  if (!all.length || list.error) return null;
  const done = running.reduce((sum, j) => sum + (j.total ? j.done / j.total : 0), 0) / (running.length || 1);
  const act = async (j: JobView, what: "cancel" | "resume") => {
    try {
      const after = await call(`POST ${jobs}/{id}/${what}`, { account, id: j.id });
      setLive((before) => new Map(before).set(j.id, after));
      void list.refetch();
    } catch (e) {
      toast((e as ApiError).message, { tone: "bad" });
    }
  };
  const label = running.length ? t("jobs.runningCount", { n: running.length }) : t("jobs.title");
  return (
    <Popover
      label={t("jobs.title")}
      align="end"
      open={open}
      onOpenChange={setOpen}
      className="w-96"
      trigger={
        <button type="button" title={label} aria-label={label} className="relative flex h-8 items-center gap-1.5 rounded-md px-2 text-muted hover:bg-hover hover:text-text">
          <ListTodo size={16} aria-hidden />
          {running.length > 0 && <span className="num text-accent">{Math.floor(done * 100)}%</span>}
        </button>
      }
    >
      <ul className="flex flex-col divide-y divide-line">
        {all.map((j) => (
          <JobRow key={j.id} job={j} account={account} zone={zone} onAct={(what) => void act(j, what)} />
        ))}
      </ul>
    </Popover>
  );
}

function JobRow({ job: j, account, zone, onAct }: { job: JobView; account: string; zone: string; onAct: (what: "cancel" | "resume") => void }) {
  const { word, tone } = states[j.state];
  const name = kinds[j.kind] ? t(kinds[j.kind]!) : j.kind;
  return (
    <li className="flex flex-col gap-1 py-2">
      <div className="flex items-center gap-2">
        <span className="min-w-0 flex-1 truncate font-medium">
          {name}
          {j.gateway && <span className="font-normal text-muted"> {j.gateway}</span>}
        </span>
        <Badge tone={tone}>{t(word)}</Badge>
        {runs(j) && (
          <IconButton size="sm" label={t("jobs.cancel", { what: name })} onClick={() => onAct("cancel")}>
            <X size={14} aria-hidden />
          </IconButton>
        )}
        {j.resumable && (
          <IconButton size="sm" label={t("jobs.resume", { what: name })} onClick={() => onAct("resume")}>
            <RotateCcw size={14} aria-hidden />
          </IconButton>
        )}
      </div>
      {runs(j) && <progress className="h-1.5 w-full accent-accent" aria-label={name} max={j.total ?? undefined} value={j.total ? j.done : undefined} />}
      <p className="num text-xs text-muted">
        {exact(j.done)}
        {j.total !== null && ` / ${exact(j.total)}`}
        {j.left_ms !== null && runs(j) && ` · ${t("jobs.left", { time: duration(j.left_ms) })}`}
        {!runs(j) && ` · ${dateTime(j.ended_at, zone)}`}
      </p>
      {j.error && <p className="text-xs break-words text-bad">{j.error}</p>}
      {j.file && (
        <a className="flex items-center gap-1.5 text-xs" href={address(`GET ${jobs}/{id}/result`, { account, id: j.id })} download>
          <Download size={12} aria-hidden />
          {j.file.name} ({bytes(j.file.bytes)})
        </a>
      )}
    </li>
  );
}
