import type { ReactNode } from "react";
import { call } from "@/api/client";
import { useCall } from "@/api/query";
import { useAction } from "@/lib/action";
import { bytes, dateTime, duration, exact } from "@/lib/format";
import { toast } from "@/lib/toast";
import { useZone } from "@/lib/zone";
import { t } from "@/messages";
import { Button } from "@/ui/Button";
import { Badge, Banner, Card, ErrorPanel, Skeleton } from "@/ui/State";

const account = { account: "default" };

export function Status() {
  const [zone] = useZone();
  const query = useCall("GET /client/v4/accounts/{account}/ai-gateway/status", account, {}, { every: 5_000 });
  if (query.isPending) return <Skeleton lines={8} />;
  if (!query.data) return <ErrorPanel error={query.error} onRetry={() => void query.refetch()} />;
  const s = query.data.result;
  return (
    <div className="flex flex-col gap-4">
      {query.isError && <ErrorPanel error={query.error} onRetry={() => void query.refetch()} />}
      {s.config.error && <Banner tone="bad">{t("instance.configError", { error: s.config.error })}</Banner>}
      {(s.config.warnings ?? []).map((w) => (
        <Banner key={w} tone="warn">
          {w}
        </Banner>
      ))}
      <div className="grid items-start gap-4 lg:grid-cols-2">
        <Card title={t("shell.product")}>
          <Facts
            facts={[
              [t("instance.version"), s.version],
              [t("instance.uptime"), duration(s.uptime_seconds * 1000)],
              [t("instance.listeners"), (s.listeners ?? []).map((l) => `${l.tls ? "https" : "http"}://${l.address}`).join(", ")],
              [t("instance.dataDir"), <code key="d" className="break-all">{s.data_dir}</code>],
              [t("instance.configFile"), s.config.file ? <code key="f" className="break-all">{s.config.file}</code> : t("instance.configNone")],
              [t("instance.inFlight"), exact(s.in_flight)],
              [t("instance.minute"), t("instance.minuteText", { requests: exact(s.last_minute?.requests), errors: exact(s.last_minute?.errors) })],
              [t("instance.bodyMemory"), t("instance.ofText", { used: bytes(s.body_memory_used), limit: bytes(s.body_memory_limit) })],
              [t("instance.refused"), exact((s.refused ?? []).reduce((n, r) => n + r.count, 0))],
              [t("instance.panics"), exact(s.panics)],
            ]}
          />
        </Card>
        <Card title={t("instance.log")} aside={<Badge tone={s.log.state === "ok" ? "ok" : "bad"}>{s.log.state}</Badge>}>
          {s.log.last_error && <p className="mb-2 text-bad">{s.log.last_error}</p>}
          <Facts
            facts={[
              [t("instance.logRows"), exact(s.log.rows)],
              [t("instance.logDisk"), bytes(s.log.disk_bytes)],
              [t("instance.logFree"), bytes(s.log.disk_free)],
              [t("instance.logComplete"), dateTime(s.log.complete_until, zone)],
              [t("instance.logLag"), duration(Math.max(s.log.append_lag_ms, s.log.index_lag_ms))],
              [t("instance.logDropped"), exact(s.log.dropped_rows)],
              [t("instance.logDroppedBodies"), exact(s.log.dropped_bodies)],
            ]}
          />
        </Card>
        <PriceList />
        <Backup />
      </div>
    </div>
  );
}

function Facts({ facts }: { facts: [string, ReactNode][] }) {
  return (
    <dl className="grid grid-cols-[minmax(8rem,auto)_1fr] gap-x-6 gap-y-1.5">
      {facts.map(([label, value]) => (
        <div key={label} className="contents">
          <dt className="text-muted">{label}</dt>
          <dd className="min-w-0 break-words">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function PriceList() {
  const facts = useCall("GET /client/v4/accounts/{account}/ai-gateway/prices", account).data?.result;
  const action = useAction();
  const refresh = async () => {
    if (await action.run(() => call("POST /client/v4/accounts/{account}/ai-gateway/prices/refresh", account))) toast(t("instance.pricesRefreshed"), { tone: "ok" });
  };
  return (
    <Card title={t("instance.prices")} aside={facts?.source && <Button size="sm" busy={action.busy} onClick={() => void refresh()}>{t("instance.pricesRefresh")}</Button>}>
      {facts && <p>{t("instance.pricesText", { date: facts.date, n: exact(facts.models), source: facts.source || t("instance.pricesBuiltIn") })}</p>}
      {facts?.error && <p className="mt-1 text-bad">{facts.error}</p>}
      {action.failure && <ErrorPanel error={action.failure} />}
    </Card>
  );
}

function Backup() {
  const action = useAction();
  const start = async () => {
    if (await action.run(() => call("POST /client/v4/accounts/{account}/ai-gateway/backup", account, { body: {} }))) toast(t("instance.backupStarted"), { tone: "ok" });
  };
  return (
    <Card title={t("instance.backup")}>
      <p className="mb-3 text-muted">{t("instance.backupText")}</p>
      {action.failure && <ErrorPanel error={action.failure} />}
      <Button busy={action.busy} onClick={() => void start()}>
        {t("instance.backup")}
      </Button>
    </Card>
  );
}
