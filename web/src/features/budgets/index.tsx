// Budgets and rate limits: what is set, how it stands, and what would become of a call.
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { address, call } from "@/api/client";
import { useCall } from "@/api/query";
import type { Calls, GatewayView, RuleUsage } from "@/api/types.gen";
import { Confirm } from "@/components/Confirm";
import { CopyAs } from "@/components/CopyAs";
import { Page } from "@/components/Page";
import { useAction } from "@/lib/action";
import { duration, exact, money } from "@/lib/format";
import { at, usePlace, type Place } from "@/lib/place";
import { toast } from "@/lib/toast";
import { t } from "@/messages";
import { Button } from "@/ui/Button";
import { Badge, Banner, Card, EmptyState, ErrorPanel, Skeleton } from "@/ui/State";
import { RuleDialog } from "./RuleDialog";
import { sentence, type Rule, type SpendLimits } from "./rules";
import { TestPanel } from "./TestPanel";

const path = "/client/v4/accounts/{account}/ai-gateway/gateways/{gateway}";
const usageCall = `GET ${path}/limits/usage` as const;

export default function BudgetsPage() {
  const place = usePlace();
  const [editing, edit] = useState<{ rule: Rule; index?: number }>();
  const gateway = useCall(`GET ${path}`, place);
  const usage = useCall(usageCall, place, {}, { every: 5_000 });
  const view = gateway.data?.result;
  const limits = (view?.spend_limits ?? {}) as SpendLimits;
  const rules = limits.rules ?? [];
  const readOnly = view?.origin === "file";
  const usageOf = (rule: Rule, index: number) => usage.data?.result?.spend_limits?.find((u) => u.id === rule.id) ?? (rule.id ? undefined : usage.data?.result?.spend_limits?.[index]);
  return (
    <Page
      title={t("shell.budgets")}
      actions={
        <>
          <CopyAs cli={`sluice budget list -g ${place.gateway}`} path={address(usageCall, place)} />
          {!readOnly && (
            <Button look="primary" onClick={() => edit({ rule: { limit: 10, window: 86_400 } })}>
              {t("budgets.add")}
            </Button>
          )}
        </>
      }
    >
      <p className="mb-4 max-w-prose text-muted">{t("budgets.intro")}</p>
      {readOnly && (
        <div className="mb-4">
          <Banner tone="warn">{t("budgets.readOnly")}</Banner>
        </div>
      )}
      {gateway.isPending && <Skeleton lines={5} />}
      {gateway.isError && <ErrorPanel error={gateway.error} onRetry={() => void gateway.refetch()} />}
      {usage.isError && <ErrorPanel error={usage.error} onRetry={() => void usage.refetch()} />}
      {view && (
        <div className="grid items-start gap-4 lg:grid-cols-[2fr_1fr]">
          <div className="flex min-w-0 flex-col gap-4">
            {rules.length === 0 && <Templates onPick={(rule) => edit({ rule })} readOnly={readOnly} />}
            {rules.map((rule, index) => (
              <RuleCard key={rule.id ?? index} place={place} view={view} rule={rule} index={index} usage={usageOf(rule, index)} onEdit={() => edit({ rule, index })} readOnly={readOnly} />
            ))}
            <RateLimit place={place} usage={usage.data?.result?.rate_limit} />
          </div>
          <TestPanel place={place} />
        </div>
      )}
      {editing && view && (
        <RuleDialog
          rule={editing.rule}
          onClose={() => edit(undefined)}
          save={async (rule) => {
            const next = editing.index === undefined ? [...rules, rule] : rules.map((r, i) => (i === editing.index ? rule : r));
            await putRules(place, view, { ...limits, enabled: limits.enabled ?? true, rules: next });
            toast(t("budgets.saved"), { tone: "ok" });
            edit(undefined);
          }}
        />
      )}
    </Page>
  );
}

/** Writes all rules of a gateway; a change of somebody else's in the meantime is refused (409). */
function putRules(place: Place, view: GatewayView, limits: SpendLimits) {
  const body: Calls[`PUT ${typeof path}`]["body"] = {
    cache_ttl: view.cache_ttl,
    cache_invalidate_on_update: view.cache_invalidate_on_update,
    collect_logs: view.collect_logs,
    rate_limiting_interval: view.rate_limiting_interval,
    rate_limiting_limit: view.rate_limiting_limit,
    spend_limits: limits.rules?.length ? limits : null,
  };
  return call(`PUT ${path}`, place, { body, ifMatch: `"${view.version}"` });
}

function Templates({ onPick, readOnly }: { onPick: (rule: Rule) => void; readOnly: boolean }) {
  const templates: [label: "budgets.templateAll" | "budgets.templateUser" | "budgets.templateModel", rule: Rule][] = [
    ["budgets.templateAll", { id: "daily", limit: 10, window: 86_400 }],
    ["budgets.templateUser", { id: "per-user", limit: 1, window: 3600, technique: "sliding", metadata: { user: { mode: "partition" } } }],
    ["budgets.templateModel", { id: "model", limit: 5, window: 86_400, model: { mode: "filter", values: [] } }],
  ];
  return (
    <Card>
      <EmptyState title={t("budgets.none")}>{!readOnly && t("budgets.noneText")}</EmptyState>
      {!readOnly && (
        <div className="flex flex-wrap justify-center gap-2">
          {templates.map(([label, rule]) => (
            <Button key={label} onClick={() => onPick(rule)}>
              {t(label)}
            </Button>
          ))}
        </div>
      )}
    </Card>
  );
}

interface RuleProps {
  place: Place;
  view: GatewayView;
  rule: Rule;
  index: number;
  usage?: RuleUsage;
  onEdit: () => void;
  readOnly: boolean;
}

function RuleCard({ place, view, rule, index, usage, onEdit, readOnly }: RuleProps) {
  const [asking, ask] = useState(false);
  const action = useAction();
  const limits = view.spend_limits as SpendLimits;
  const name = rule.id ?? usage?.id ?? String(index + 1);
  const remove = () =>
    action
      .run(() => putRules(place, view, { ...limits, rules: (limits.rules ?? []).filter((_, i) => i !== index) }))
      .then((well) => {
        if (well) toast(t("budgets.deleted", { id: name }), { tone: "ok" });
      });
  return (
    <Card
      title={name}
      aside={
        !readOnly && (
          <>
            <Button size="sm" onClick={onEdit} aria-label={`${t("budgets.edit")}: ${name}`}>
              {t("budgets.edit")}
            </Button>
            <Button size="sm" look="danger" onClick={() => ask(true)} aria-label={`${t("budgets.deleteTitle")}: ${name}`}>
              {t("shell.delete")}
            </Button>
          </>
        )
      }
    >
      <p className="mb-3">{sentence(rule)}</p>
      <ul className="flex flex-col gap-4">
        {(usage?.budgets ?? []).map((budget) => (
          <li key={JSON.stringify(budget.values)}>
            <UsageBar budget={budget} limit={rule.limit} sliding={rule.technique === "sliding"} />
          </li>
        ))}
      </ul>
      {usage && usage.total_budgets > 1 && <p className="mt-2 text-xs text-muted">{t("budgets.consumers", { n: usage.total_budgets })}</p>}
      <Confirm open={asking} onClose={() => ask(false)} title={t("budgets.deleteTitle")} text={t("budgets.deleteText", { id: name })} action={action} onConfirm={() => void remove()} />
    </Card>
  );
}

type Budget = NonNullable<RuleUsage["budgets"]>[number];

/** Spent, reserved and forecast in one bar; the words beside it say the same. */
function UsageBar({ budget, limit, sliding }: { budget: Budget; limit: number; sliding: boolean }) {
  const values = Object.entries(budget.values ?? {}).map(([k, v]) => `${k}=${v}`).join(" ");
  const share = (n: number | null) => Math.min(100, Math.max(0, ((n ?? 0) / limit) * 100));
  const spent = share(budget.spent);
  const reserved = Math.min(100 - spent, share(budget.reserved));
  const forecast = budget.forecast === null ? undefined : share(budget.forecast);
  const reset = duration(budget.reset_seconds * 1000);
  return (
    <>
      <div className="mb-1 flex flex-wrap items-center gap-2">
        {values && <code>{values}</code>}
        <span>{t("budgets.spent", { spent: money(budget.spent), limit: money(limit) })}</span>
        <Badge tone={budget.open ? "ok" : "bad"}>{budget.open ? t("budgets.fits") : t("budgets.full")}</Badge>
      </div>
      <div aria-hidden className="relative flex h-2 overflow-hidden rounded-full bg-hover">
        <div className={budget.open ? "bg-accent" : "bg-bad"} style={{ width: `${spent}%` }} />
        <div className="bg-warn" style={{ width: `${reserved}%` }} />
        {forecast !== undefined && <div className="absolute inset-y-0 w-0.5 bg-text" style={{ insetInlineStart: `calc(${forecast}% - 1px)` }} />}
      </div>
      <p className="mt-1 text-xs text-muted">
        {[
          budget.reserved ? t("budgets.reserved", { reserved: money(budget.reserved) }) : "",
          budget.forecast !== null ? t("budgets.forecast", { forecast: money(budget.forecast) }) : "",
          budget.reset_seconds > 0 ? t(sliding ? "budgets.resetsSliding" : "budgets.resets", { time: reset }) : "",
        ]
          .filter(Boolean)
          .join(" ")}
      </p>
    </>
  );
}

function RateLimit({ place, usage }: { place: Place; usage?: { used: number; limit: number; interval: number } | null }) {
  return (
    <Card title={t("budgets.rateTitle")} aside={<Link to={at(place, "settings/limits")}>{t("budgets.rateSet")}</Link>}>
      {usage ? (
        <>
          <p className="mb-2">{t("budgets.rateText", { used: exact(usage.used), limit: exact(usage.limit), seconds: exact(usage.interval) })}</p>
          <div aria-hidden className="h-2 overflow-hidden rounded-full bg-hover">
            <div className={`h-full ${usage.used >= usage.limit ? "bg-bad" : "bg-accent"}`} style={{ width: `${Math.min(100, (usage.used / usage.limit) * 100)}%` }} />
          </div>
        </>
      ) : (
        <p className="text-muted">{t("budgets.rateNone")}</p>
      )}
    </Card>
  );
}
