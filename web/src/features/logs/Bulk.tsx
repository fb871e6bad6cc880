// What is done to many requests at once, as jobs: deletion, which says beforehand what would go, and export.
import { Download, Trash2, X } from "lucide-react";
import { useEffect, useState } from "react";
import { call, type ApiError } from "@/api/client";
import { queryClient } from "@/api/query";
import type { JobView, LogExport } from "@/api/types.gen";
import { exact, dateTime } from "@/lib/format";
import type { Place } from "@/lib/place";
import { toast } from "@/lib/toast";
import { t } from "@/messages";
import { Button, IconButton } from "@/ui/Button";
import { Check, Field, Select } from "@/ui/Field";
import { Dialog } from "@/ui/Overlay";
import { ErrorPanel } from "@/ui/State";
import { fieldsOf, type Chosen } from "./columns";

/** Which requests are meant: some ids, or all that pass a filter. */
export type Selection = { ids: string[] } | { q: string; range: string };

/** A filter takes 8,192 bytes: an id is 37 of them. */
const idsAtOnce = 200;

function partsOf(selection: Selection): { q?: string; range?: string }[] {
  if (!("ids" in selection)) return [{ q: selection.q || undefined, range: selection.range || undefined }];
  const parts = [];
  for (let i = 0; i < selection.ids.length; i += idsAtOnce) parts.push({ q: `id:${selection.ids.slice(i, i + idsAtOnce).join(",")}` });
  return parts;
}

const jobs = "GET /client/v4/accounts/{account}/ai-gateway/jobs";
const deletion = "POST /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/logs/delete";

interface Found {
  found: number;
  oldest: string | null;
  newest: string | null;
}

/** Counts what a deletion would take, by a job that takes nothing. */
async function countParts(place: Place, selection: Selection, signal: AbortSignal): Promise<Found> {
  const sum: Found = { found: 0, oldest: null, newest: null };
  for (const part of partsOf(selection)) {
    let job: JobView = await call(deletion, { account: place.account, gateway: place.gateway }, { body: { ...part, dry_run: true }, signal });
    while (job.state === "queued" || job.state === "running") {
      await new Promise((next) => setTimeout(next, 200));
      job = await call(`${jobs}/{id}`, { account: place.account, id: job.id }, { signal });
    }
    if (job.state !== "done") throw new Error(job.error ?? job.state);
    const one = job.result as Found;
    sum.found += one.found;
    if (one.oldest && (!sum.oldest || one.oldest < sum.oldest)) sum.oldest = one.oldest;
    if (one.newest && (!sum.newest || one.newest > sum.newest)) sum.newest = one.newest;
  }
  return sum;
}

export function DeleteDialog({ place, selection, zone, onClose }: { place: Place; selection: Selection; zone: string; onClose: (deleted: boolean) => void }) {
  const [found, setFound] = useState<Found | undefined>();
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    const abort = new AbortController();
    countParts(place, selection, abort.signal).then(setFound, (e: unknown) => !abort.signal.aborted && setError(e));
    return () => abort.abort();
  }, [place, selection]);
  const start = async () => {
    setBusy(true);
    try {
      for (const part of partsOf(selection)) await call(deletion, { account: place.account, gateway: place.gateway }, { body: part });
      void queryClient.invalidateQueries({ queryKey: [jobs] });
      toast(t("logs.deleteStarted"));
      onClose(true);
    } catch (e) {
      setError(e);
      setBusy(false);
    }
  };
  return (
    <Dialog
      open
      onClose={() => onClose(false)}
      title={t("logs.deleteTitle")}
      actions={
        <>
          <Button onClick={() => onClose(false)}>{t("shell.cancel")}</Button>
          {found && found.found > 0 && (
            <Button look="danger" busy={busy} onClick={() => void start()}>
              {t("logs.deleteConfirm", { n: exact(found.found) })}
            </Button>
          )}
        </>
      }
    >
      <div className="flex flex-col gap-2" aria-live="polite">
        {error !== undefined && <ErrorPanel error={error} />}
        {!found && error === undefined && <p>{t("logs.deleteCounting")}</p>}
        {found && found.found === 0 && <p>{t("logs.deleteNone")}</p>}
        {found && found.found > 0 && (
          <>
            <p>{t("logs.deleteText", { n: exact(found.found) })}</p>
            <p className="text-muted">{t("logs.deleteSpan", { oldest: dateTime(found.oldest, zone), newest: dateTime(found.newest, zone) })}</p>
          </>
        )}
      </div>
    </Dialog>
  );
}

export function ExportDialog({ place, selection, columns, onClose }: { place: Place; selection: Selection; columns: Chosen[]; onClose: () => void }) {
  const [format, setFormat] = useState<NonNullable<LogExport["format"]>>("jsonl");
  const [shown, setShown] = useState(false);
  const [gzip, setGzip] = useState(true);
  const [bodies, setBodies] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | undefined>();
  const start = async () => {
    setBusy(true);
    try {
      for (const part of partsOf(selection)) {
        await call("POST /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/logs/export", { account: place.account, gateway: place.gateway }, {
          body: { ...part, format, gzip: gzip && format !== "parquet", bodies, columns: shown ? fieldsOf(columns).filter((f) => f !== "preview") : undefined },
        });
      }
      void queryClient.invalidateQueries({ queryKey: [jobs] });
      toast(t("logs.exportStarted"));
      onClose();
    } catch (e) {
      setError(e as ApiError);
      setBusy(false);
    }
  };
  return (
    <Dialog
      open
      onClose={onClose}
      title={t("logs.exportTitle")}
      description={"ids" in selection ? t("logs.exportSelected", { n: selection.ids.length }) : t("logs.exportText")}
      actions={
        <>
          <Button onClick={onClose}>{t("shell.cancel")}</Button>
          <Button look="primary" busy={busy} onClick={() => void start()}>
            {t("logs.exportStart")}
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-3">
        <Field label={t("logs.format")}>
          {(control) => (
            <Select {...control} value={format} onChange={(e) => setFormat(e.target.value as typeof format)}>
              {(["jsonl", "csv", "parquet"] as const).map((f) => (
                <option key={f} value={f}>
                  {f}
                </option>
              ))}
            </Select>
          )}
        </Field>
        <Field label={t("logs.exportColumns")}>
          {(control) => (
            <Select {...control} value={shown ? "shown" : "all"} onChange={(e) => setShown(e.target.value === "shown")}>
              <option value="all">{t("logs.exportAll")}</option>
              <option value="shown">{t("logs.exportShown")}</option>
            </Select>
          )}
        </Field>
        {format !== "parquet" && <Check label={t("logs.gzip")} checked={gzip} onChange={(e) => setGzip(e.target.checked)} />}
        <Check label={t("logs.bodies")} checked={bodies} onChange={(e) => setBodies(e.target.checked)} />
        {error && <ErrorPanel error={error} />}
      </div>
    </Dialog>
  );
}

interface BarProps {
  count: number;
  /** How many requests match in all; null: nobody knows. */
  matching: number | null;
  approx: boolean;
  all: boolean;
  onAll: () => void;
  onNone: () => void;
  onDelete: () => void;
  onExport: () => void;
}

/** What can be done with the selected rows. */
export function SelectionBar({ count, matching, approx, all, onAll, onNone, onDelete, onExport }: BarProps) {
  const number = matching === null ? t("shell.unknown") : `${approx ? "≈ " : ""}${exact(matching)}`;
  return (
    <div role="toolbar" aria-label={t("logs.selected", { n: count })} className="flex min-h-9 flex-wrap items-center gap-2 rounded-md bg-sunken px-3 py-1">
      <span className="font-medium">{all ? t("logs.allMatching", { n: number }) : t("logs.selected", { n: exact(count) })}</span>
      {!all && (matching === null || matching > count) && (
        <Button size="sm" look="quiet" onClick={onAll}>
          {t("logs.selectMatching", { n: number })}
        </Button>
      )}
      <span className="ms-auto flex items-center gap-2">
        <Button size="sm" onClick={onExport}>
          <Download size={12} aria-hidden />
          {t("logs.export")}
        </Button>
        <Button size="sm" look="danger" onClick={onDelete}>
          <Trash2 size={12} aria-hidden />
          {t("logs.deleteSelected")}
        </Button>
        <IconButton size="sm" label={t("logs.unselect")} onClick={onNone}>
          <X size={14} aria-hidden />
        </IconButton>
      </span>
    </div>
  );
}
