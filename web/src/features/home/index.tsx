// A gateway's first page: how to reach it, what it did in the last day, what happens now, what needs a look.
import { useState } from "react";
import { useCall } from "@/api/query";
import { address } from "@/api/client";
import { CopyAs } from "@/components/CopyAs";
import { Page } from "@/components/Page";
import { usePlace } from "@/lib/place";
import { useZone } from "@/lib/zone";
import { t } from "@/messages";
import { ErrorPanel, Skeleton, Stale } from "@/ui/State";
import { Budgets } from "./Budgets";
import { Checklist } from "./Checklist";
import { Connect } from "./Connect";
import { Errors } from "./Errors";
import { FirstRun } from "./FirstRun";
import { Tail } from "./Tail";
import { Tiles } from "./Tiles";

const call = "GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/summary" as const;

export default function HomePage() {
  const place = usePlace();
  return <Home key={`${place.account}/${place.gateway}`} />;
}

function Home() {
  const place = usePlace();
  const [zone] = useZone();
  const query = { range: "24h", tz: zone };
  const summary = useCall(call, place, query, { every: 15_000 });
  const s = summary.data?.result;
  // Who came before the first request sees it land: the panel stays until this page is left.
  const [began] = useState(() => Date.now());
  const [left, leave] = useState(false);
  const first = !left && s !== undefined && (s.last_request === null || Date.parse(s.last_request) >= began);
  return (
    <Page title={first ? t("home.welcome") : place.gateway} actions={!first && <CopyAs cli={`sluice stats -g ${place.gateway} --range 24h`} path={address(call, place, query)} />}>
      {summary.error && (
        <div className="mb-4">
          <ErrorPanel error={summary.error} onRetry={() => void summary.refetch()} />
        </div>
      )}
      {summary.isPending && <Skeleton lines={5} />}
      {first && <FirstRun onDone={() => leave(true)} />}
      {s && !first && (
        <div className="grid gap-4 lg:grid-cols-3">
          <div className="flex min-w-0 flex-col gap-4 lg:col-span-2">
            <Stale stale={summary.isError}>
              <Tiles summary={s} />
            </Stale>
            <Tail />
            <Errors errors={s.errors} />
          </div>
          <div className="flex min-w-0 flex-col gap-4">
            <Checklist />
            <Connect />
            <Budgets />
          </div>
        </div>
      )}
    </Page>
  );
}
