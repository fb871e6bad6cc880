// What is set of caching, limits, tries, logs and access.
import { useQueryClient } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { call } from "@/api/client";
import { useCall } from "@/api/query";
import type { GatewayView } from "@/api/types.gen";
import { bytes, exact, percent } from "@/lib/format";
import type { Place } from "@/lib/place";
import { toast } from "@/lib/toast";
import { t, type Key } from "@/messages";
import { Button } from "@/ui/Button";
import { Field, Input, Select, Switch } from "@/ui/Field";
import { Dialog } from "@/ui/Overlay";
import type { Draft, Name } from "./draft";

interface Props {
  draft: Draft;
  place: Place;
}

const stack = "flex flex-col gap-5";

type Numeric = { [N in Name]: GatewayView[N] extends number | null ? N : never }[Name];

interface NumberProps {
  draft: Draft;
  name: Numeric;
  label: Key;
  help?: Key;
  /** What the field shows of null, and what an empty one means. */
  min?: number;
  max?: number;
  after?: ReactNode;
}

function NumberField({ draft, name, label, help, min = 0, max, after }: NumberProps) {
  const value = draft.value(name) as number | null;
  return (
    <Field label={t(label)} help={help && t(help)} error={draft.errors[name]}>
      {(control) => (
        <div className="flex items-center gap-3">
          <Input
            {...control}
            type="number"
            inputMode="numeric"
            min={min}
            max={max}
            className="max-w-40"
            disabled={draft.readOnly}
            value={value ?? ""}
            onChange={(e) => draft.set(name, (e.target.value === "" ? null : Number(e.target.value)) as never)}
          />
          {after}
        </div>
      )}
    </Field>
  );
}

type Flag = { [N in Name]: GatewayView[N] extends boolean | null ? N : never }[Name];

function Toggle({ draft, name, label, help }: { draft: Draft; name: Flag; label: Key; help?: Key }) {
  return <Switch label={t(label)} help={help && t(help)} disabled={draft.readOnly} checked={draft.value(name) === true} onChange={(on) => draft.set(name, on as never)} />;
}

interface ChoiceProps<N extends Name> {
  draft: Draft;
  name: N;
  label: Key;
  options: [value: string, label: Key][];
}

function Choice<N extends Name>({ draft, name, label, options }: ChoiceProps<N>) {
  return (
    <Field label={t(label)} error={draft.errors[name]}>
      {(control) => (
        <Select {...control} className="max-w-80" disabled={draft.readOnly} value={String(draft.value(name) ?? options[0]![0])} onChange={(e) => draft.set(name, e.target.value as never)}>
          {options.map(([value, text]) => (
            <option key={value} value={value}>
              {t(text)}
            </option>
          ))}
        </Select>
      )}
    </Field>
  );
}

export function Caching({ draft, place }: Props) {
  const on = (draft.value("cache_ttl") ?? 0) > 0;
  return (
    <div className={stack}>
      <Switch label={t("settings.cacheOn")} help={t("settings.cacheOnHelp")} disabled={draft.readOnly} checked={on} onChange={(next) => draft.set("cache_ttl", next ? 300 : 0)} />
      {on && <NumberField draft={draft} name="cache_ttl" label="settings.cacheTtl" help="settings.cacheTtlHelp" min={1} />}
      <Toggle draft={draft} name="cache_invalidate_on_update" label="settings.cacheForget" />
      <CacheFacts place={place} />
    </div>
  );
}

function CacheFacts({ place }: { place: Place }) {
  const [asking, ask] = useState(false);
  const [busy, setBusy] = useState(false);
  const client = useQueryClient();
  const stats = useCall("GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/cache", place, {}, { every: 10_000 }).data?.result;
  const summary = useCall("GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/summary", place, { range: "24h" }).data?.result;
  const entries = stats?.disk.entries ?? null;
  const clear = async () => {
    setBusy(true);
    try {
      const { purged } = await call("DELETE /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/cache", place);
      toast(t("settings.cacheCleared", { n: purged }), { tone: "ok" });
      void client.invalidateQueries();
      ask(false);
    } catch (error) {
      toast(String((error as Error).message), { tone: "bad" });
    } finally {
      setBusy(false);
    }
  };
  const facts: [Key, string][] = [
    ["settings.cacheRate", percent(summary?.requests ? summary.cache_rate : null)],
    ["settings.cacheHits", exact(stats && stats.hits + stats.joined)],
    ["settings.cacheMisses", exact(stats?.misses)],
    ["settings.cacheSize", t("settings.cacheSizeText", { entries: exact(entries), bytes: bytes(stats?.disk.bytes) })],
  ];
  return (
    <div className="rounded-lg border border-line p-4">
      <dl className="grid grid-cols-[auto_1fr] gap-x-6 gap-y-1.5">
        {facts.map(([label, value]) => (
          <div key={label} className="contents">
            <dt className="text-muted">{t(label)}</dt>
            <dd className="num">{value}</dd>
          </div>
        ))}
      </dl>
      <Button className="mt-3" look="danger" onClick={() => ask(true)}>
        {t("settings.cacheClear")}
      </Button>
      <Dialog
        open={asking}
        onClose={() => ask(false)}
        title={t("settings.cacheClear")}
        description={t("settings.cacheClearConfirm", { n: exact(entries) })}
        actions={
          <>
            <Button onClick={() => ask(false)}>{t("shell.cancel")}</Button>
            <Button look="danger" busy={busy} onClick={() => void clear()}>
              {t("settings.cacheClear")}
            </Button>
          </>
        }
      />
    </div>
  );
}

export function Limits({ draft, place }: Props) {
  const usage = useCall("GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/limits/usage", place, {}, { every: 5_000 }).data?.result?.rate_limit;
  const count = draft.value("rate_limiting_limit") ?? 0;
  const seconds = draft.value("rate_limiting_interval") ?? 0;
  const on = count > 0 || seconds > 0;
  const toggle = (next: boolean) => {
    draft.set("rate_limiting_limit", next ? 100 : null);
    draft.set("rate_limiting_interval", next ? 60 : null);
  };
  return (
    <div className={stack}>
      <Switch label={t("settings.limitOn")} help={t("settings.limitOnHelp")} disabled={draft.readOnly} checked={on} onChange={toggle} />
      {on && (
        <>
          <div className="grid gap-4 sm:grid-cols-2">
            <NumberField draft={draft} name="rate_limiting_limit" label="settings.limitCount" min={1} />
            <NumberField draft={draft} name="rate_limiting_interval" label="settings.limitInterval" min={1} />
          </div>
          <Choice
            draft={draft}
            name="rate_limiting_technique"
            label="settings.limitTechnique"
            options={[
              ["fixed", "settings.limitFixed"],
              ["sliding", "settings.limitSliding"],
            ]}
          />
          <p className="rounded-md bg-sunken px-3 py-2">
            {t("settings.limitSentence", { n: exact(count), seconds: exact(seconds) })}
            {usage && ` ${t("settings.limitNow", { used: exact(usage.used), remaining: exact(usage.remaining) })}`}
          </p>
        </>
      )}
    </div>
  );
}

export function Retries({ draft }: Props) {
  return (
    <div className={stack}>
      <NumberField draft={draft} name="retry_max_attempts" label="settings.attempts" help="settings.attemptsHelp" min={1} max={5} />
      <NumberField draft={draft} name="retry_delay" label="settings.delay" max={60000} />
      <Choice
        draft={draft}
        name="retry_backoff"
        label="settings.backoff"
        options={[
          ["constant", "settings.backoffConstant"],
          ["linear", "settings.backoffLinear"],
          ["exponential", "settings.backoffExponential"],
        ]}
      />
      <NumberField draft={draft} name="request_timeout" label="settings.timeout" help="settings.timeoutHelp" />
      <NumberField draft={draft} name="hedge" label="settings.hedge" help="settings.hedgeHelp" max={100} />
    </div>
  );
}

export function Logs({ draft }: Props) {
  return (
    <div className={stack}>
      <Toggle draft={draft} name="collect_logs" label="settings.collect" help="settings.collectHelp" />
      <Toggle draft={draft} name="collect_payload" label="settings.payload" help="settings.payloadHelp" />
      <NumberField draft={draft} name="log_management" label="settings.cap" help="settings.capHelp" min={10000} />
      {draft.value("log_management") !== null && (
        <Choice
          draft={draft}
          name="log_management_strategy"
          label="settings.capFull"
          options={[
            ["DELETE_OLDEST", "settings.capDelete"],
            ["STOP_INSERTING", "settings.capStop"],
          ]}
        />
      )}
      <NumberField draft={draft} name="metadata_entries" label="settings.metadata" help="settings.metadataHelp" />
    </div>
  );
}

export function Access({ draft }: Props) {
  return (
    <div className={stack}>
      <Toggle draft={draft} name="authentication" label="settings.auth" help={draft.value("authentication") ? "settings.authHelp" : "settings.authOpen"} />
      <Toggle draft={draft} name="byok_only" label="settings.byok" help="settings.byokHelp" />
    </div>
  );
}
