import { Link } from "@tanstack/react-router";
import { useCall } from "@/api/query";
import type { Entry, HeaderField } from "@/api/types.gen";
import { CopyButton } from "@/components/Copy";
import { duration, money, relative } from "@/lib/format";
import { at } from "@/lib/place";
import { useZone } from "@/lib/zone";
import { t } from "@/messages";
import { Badge, ErrorPanel, Skeleton } from "@/ui/State";
import type { Spot } from "./body";
import { causeOf, outcomeOf } from "./sentence";

export function HeadersTab({ entry }: { entry: Entry }) {
  return (
    <div className="flex flex-col gap-4">
      <HeaderTable title={t("detail.requestHeaders")} fields={entry.request_headers ?? []} />
      <HeaderTable title={t("detail.responseHeaders")} fields={entry.response_headers ?? []} />
    </div>
  );
}

function HeaderTable({ title, fields }: { title: string; fields: HeaderField[] }) {
  return (
    <section aria-label={title} className="min-w-0">
      <div className="flex items-center gap-1">
        <h2 className="font-medium">{title}</h2>
        {fields.length > 0 && <CopyButton text={fields.map((f) => `${f.name}: ${f.value}`).join("\n")} what={title} />}
      </div>
      {fields.length === 0 ? (
        <p className="text-muted">{t("detail.noHeaders")}</p>
      ) : (
        <dl className="num mt-1 flex flex-col">
          {fields.map((f, i) => (
            <div key={i} className="grid gap-x-3 border-b border-line py-1 sm:grid-cols-[12rem_1fr]">
              <dt className="break-all text-muted">{f.name}</dt>
              <dd className="min-w-0 break-all">{f.value === "[redacted]" ? <Badge title={t("detail.redactedWhy")}>{t("detail.redacted")}</Badge> : f.value}</dd>
            </div>
          ))}
        </dl>
      )}
    </section>
  );
}

export function AttemptsTab({ entry }: { entry: Entry }) {
  const all = entry.attempts ?? [];
  if (!all.length) return <p className="text-muted">{entry.cached ? t("detail.noAttemptsCached") : t("detail.noAttempts")}</p>;
  return (
    <div className="overflow-x-auto" tabIndex={0} role="region" aria-label={t("detail.tab_attempts")}>
      <table className="w-full">
        <thead>
          <tr className="border-b border-line text-start text-xs text-muted">
            {(["number", "target", "host", "status", "reason", "start", "connect", "first", "end", "cost"] as const).map((name) => (
              <th key={name} className="px-2 py-1 text-start font-normal whitespace-nowrap">
                {t(`detail.try_${name}`)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody className="num">
          {all.map((a, i) => (
            <tr key={a.id} className="border-b border-line">
              <td className="px-2 py-1">{i + 1}</td>
              <td className="px-2 whitespace-nowrap">{[a.provider, a.model].filter(Boolean).join("/")}</td>
              <td className="px-2">{a.host}</td>
              <td className="px-2">{a.status === null ? t("shell.unknown") : <Badge tone={a.status < 400 ? "ok" : "bad"}>{a.status}</Badge>}</td>
              <td className="px-2 whitespace-nowrap">{a.cause ? causeOf(a) : t("shell.unknown")}</td>
              <td className="px-2 whitespace-nowrap">{duration(a.start_ms)}</td>
              <td className="px-2 whitespace-nowrap">{a.reused ? t("detail.reused") : duration(a.connect_ms)}</td>
              <td className="px-2 whitespace-nowrap">{duration(a.first_byte_ms)}</td>
              <td className="px-2 whitespace-nowrap">{duration(a.end_ms)}</td>
              <td className="px-2">{money(a.cost)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function RelatedTab({ spot }: { spot: Spot }) {
  const [zone] = useZone();
  const query = useCall("GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/logs/{id}/related", { ...spot });
  if (query.error) return <ErrorPanel error={query.error} onRetry={() => void query.refetch()} />;
  if (!query.data) return <Skeleton lines={3} />;
  const all = query.data.result ?? [];
  if (!all.length) return <p className="text-muted">{t("detail.noRelated")}</p>;
  return (
    <ul className="flex flex-col">
      {all.map(({ log, reasons }) => (
        <li key={log.id} className="flex flex-wrap items-center gap-x-3 gap-y-1 border-b border-line py-1.5">
          <Link to={at(spot, `logs/${encodeURIComponent(log.id)}`)}>{outcomeOf(log).sentence}</Link>
          <span className="text-xs text-muted">{relative(log.created_at, zone)}</span>
          <span className="ms-auto flex flex-wrap gap-1">
            {reasons?.map((reason) => (
              <Badge key={reason}>{reason}</Badge>
            ))}
          </span>
        </li>
      ))}
    </ul>
  );
}
