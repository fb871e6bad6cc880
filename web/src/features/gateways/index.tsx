// All gateways of the account, each in a line: what it did in the last day.
import { Link } from "@tanstack/react-router";
import { Plus } from "lucide-react";
import { address } from "@/api/client";
import { useCall } from "@/api/query";
import { may, useSession } from "@/api/session";
import type { GatewayView } from "@/api/types.gen";
import { CopyAs } from "@/components/CopyAs";
import { Page } from "@/components/Page";
import { Sparkline } from "@/components/Sparkline";
import { count, money, percent, relative } from "@/lib/format";
import { at } from "@/lib/place";
import { useZone } from "@/lib/zone";
import { t } from "@/messages";
import { buttonClass } from "@/ui/Button";
import { Badge, EmptyState, ErrorPanel, Skeleton, Stale } from "@/ui/State";

const account = "default";
const list = "GET /client/v4/accounts/{account}/ai-gateway/gateways" as const;
const all = { per_page: 100 };

export default function GatewaysPage() {
  const gateways = useCall(list, { account }, all, { every: 30_000 });
  const session = useSession();
  const found = gateways.data?.result;
  return (
    <Page
      global
      title={t("gateways.title")}
      actions={
        <>
          <CopyAs cli="sluice gateway list" path={address(list, { account }, all)} />
          {may(session, account, "admin") !== false && (
            <Link to="/gateways/new" className={buttonClass("primary")}>
              <Plus size={14} aria-hidden />
              {t("gateways.new")}
            </Link>
          )}
        </>
      }
    >
      {gateways.error && <ErrorPanel error={gateways.error} onRetry={() => void gateways.refetch()} />}
      {gateways.isPending && <Skeleton lines={4} />}
      {found?.length === 0 && (
        <EmptyState title={t("gateways.none")} action={<Link to="/gateways/new">{t("gateways.new")}</Link>}>
          {t("gateways.noneText")}
        </EmptyState>
      )}
      {found && found.length > 0 && (
        <Stale stale={gateways.isError} className="rounded-lg border border-line bg-surface">
          <table className="w-full max-md:block">
            <caption className="sr-only">{t("gateways.caption")}</caption>
            <thead className="max-md:hidden">
              <tr className="border-b border-line text-start text-xs text-muted">
                <th scope="col" className="px-4 py-2 text-start font-normal">{t("gateways.name")}</th>
                <th scope="col" className="w-1/4 px-2 py-2 text-start font-normal">{t("gateways.requests")}</th>
                <th scope="col" className="px-2 py-2 text-end font-normal">{t("gateways.errors")}</th>
                <th scope="col" className="px-2 py-2 text-end font-normal">{t("gateways.cached")}</th>
                <th scope="col" className="w-1/6 px-2 py-2 text-end font-normal">{t("gateways.cost")}</th>
                <th scope="col" className="px-4 py-2 text-end font-normal">{t("gateways.last")}</th>
              </tr>
            </thead>
            <tbody className="max-md:block">
              {found.map((g) => (
                <Row key={g.id} gateway={g} />
              ))}
            </tbody>
          </table>
        </Stale>
      )}
    </Page>
  );
}

function Row({ gateway }: { gateway: GatewayView }) {
  const [zone] = useZone();
  const place = { account, gateway: gateway.id };
  const summary = useCall("GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/summary", place, { range: "24h", tz: zone }, { every: 30_000 });
  const s = summary.data?.result;
  const logs = (q?: string) => ({ to: at(place, "logs"), search: q ? { q } : {} });
  return (
    <tr className="border-b border-line last:border-0 hover:bg-hover max-md:grid max-md:grid-cols-3 max-md:gap-y-1 max-md:px-4 max-md:py-3">
      <th scope="row" className="px-4 py-2.5 text-start font-medium max-md:col-span-2 max-md:col-start-1 max-md:row-start-1 max-md:p-0">
        <Link to={at(place)} className="text-text no-underline hover:underline">
          {gateway.id}
        </Link>
        <span className="ms-2 inline-flex gap-1">
          {gateway.origin === "file" && <Badge>{t("gateways.ofFile")}</Badge>}
          {gateway.authentication && <Badge>{t("gateways.token")}</Badge>}
        </span>
      </th>
      <td className="px-2 py-2 max-md:order-last max-md:col-span-3 max-md:p-0">
        <Link {...logs()} className="flex items-center gap-3 text-text no-underline" aria-label={t("gateways.requestsOf", { n: s?.requests ?? 0, text: count(s?.requests) })}>
          <Sparkline values={s?.sparkline.requests ?? []} bad={s?.sparkline.errors ?? []} className="min-w-0 flex-1" />
          <span className="num w-14 text-end">{count(s?.requests)}</span>
        </Link>
      </td>
      <td className="num px-2 py-2 text-end max-md:p-0 max-md:text-start">
        <span className="me-1 text-faint md:hidden">{t("gateways.errors")}</span>
        {s?.errors ? (
          <Link {...logs("status:error")} className="text-bad">
            {percent(s.error_rate)}
          </Link>
        ) : (
          percent(s?.error_rate)
        )}
      </td>
      <td className="num px-2 py-2 text-end max-md:p-0">
        <span className="me-1 text-faint md:hidden">{t("gateways.cached")}</span>
        {s?.cached ? <Link {...logs("cached:yes")}>{percent(s.cache_rate)}</Link> : percent(s?.cache_rate)}
      </td>
      <td className="px-2 py-2 text-end max-md:p-0">
        <div className="flex items-center justify-end gap-3">
          <Sparkline values={s?.sparkline.cost ?? []} className="min-w-0 flex-1 max-lg:hidden" />
          <span className="num w-16 text-end" title={s?.unpriced ? t("gateways.unpriced", { n: s.unpriced }) : undefined}>
            {money(s?.cost)}
          </span>
        </div>
      </td>
      <td className="px-4 py-2 text-end whitespace-nowrap text-muted max-md:col-start-3 max-md:row-start-1 max-md:p-0">{s?.last_request ? relative(s.last_request, zone) : s ? t("gateways.never") : t("shell.unknown")}</td>
    </tr>
  );
}
