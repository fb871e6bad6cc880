// Providers: which there are, whose keys are stored, how they do, what they cost.
import { Search } from "lucide-react";
import { useState } from "react";
import { address } from "@/api/client";
import { useCall } from "@/api/query";
import type { ProviderConfigView, ProviderHealth, ProviderView } from "@/api/types.gen";
import { CopyAs } from "@/components/CopyAs";
import { CopyButton } from "@/components/Copy";
import { Page } from "@/components/Page";
import { duration, exact } from "@/lib/format";
import { usePlace, type Place } from "@/lib/place";
import { t } from "@/messages";
import { Button } from "@/ui/Button";
import { Input } from "@/ui/Field";
import { Badge, EmptyState, ErrorPanel, Skeleton } from "@/ui/State";
import { CustomProvider, DeleteCustom } from "./Custom";
import { KeyDialog, KeyRow } from "./Keys";
import { PriceTable } from "./Prices";

const endpoints = "GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/endpoints";

export default function ProvidersPage() {
  const place = usePlace();
  const [search, setSearch] = useState("");
  const [adding, add] = useState(false);
  const query = useCall(endpoints, place);
  const keys = useCall("GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/provider_configs", place, { per_page: 100 });
  const health = useCall("GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/health", place, { range: "1h" }, { every: 30_000 });
  const wanted = search.trim().toLowerCase();
  const all = (query.data?.result?.providers ?? []).filter((p) => !wanted || `${p.name} ${p.slug} ${p.aliases?.join(" ")}`.toLowerCase().includes(wanted));
  const ofProvider = (slug: string) => (keys.data?.result ?? []).filter((k) => k.provider_slug === slug);
  const called = (slug: string) => health.data?.result?.providers?.some((h) => h.provider === slug) ?? false;
  const groups = [
    { title: t("providers.withKey"), list: all.filter((p) => ofProvider(p.slug).length > 0) },
    { title: t("providers.custom"), list: all.filter((p) => p.custom && ofProvider(p.slug).length === 0) },
    { title: t("providers.called"), list: all.filter((p) => !p.custom && ofProvider(p.slug).length === 0 && called(p.slug)) },
    { title: t("providers.all"), list: all.filter((p) => !p.custom && ofProvider(p.slug).length === 0 && !called(p.slug)) },
  ].filter((g) => g.list.length > 0);
  return (
    <Page
      title={t("shell.providers")}
      actions={
        <>
          <CopyAs cli="sluice provider list" path={address(endpoints, place)} />
          <Button onClick={() => add(true)}>{t("providers.customAdd")}</Button>
        </>
      }
    >
      <p className="mb-4 max-w-prose text-muted">{t("providers.intro")}</p>
      <div className="relative mb-4 max-w-80">
        <Search size={15} aria-hidden className="absolute start-2.5 top-2 text-faint" />
        <Input type="search" aria-label={t("providers.search")} placeholder={t("providers.search")} className="ps-8" value={search} onChange={(e) => setSearch(e.target.value)} />
      </div>
      {query.isPending && <Skeleton lines={8} />}
      {query.isError && <ErrorPanel error={query.error} onRetry={() => void query.refetch()} />}
      {keys.isError && <ErrorPanel error={keys.error} onRetry={() => void keys.refetch()} />}
      {query.data && groups.length === 0 && <EmptyState title={t("providers.nothing")} />}
      {groups.map((group) => (
        <section key={group.title} className="mb-6">
          <h2 className="mb-2 font-semibold text-muted">{group.title}</h2>
          <div className="grid gap-3 md:grid-cols-2 lg:grid-cols-3">
            {group.list.map((p) => (
              <ProviderCard key={p.slug} place={place} provider={p} keys={ofProvider(p.slug)} health={health.data?.result?.providers?.find((h) => h.provider === p.slug)} />
            ))}
          </div>
        </section>
      ))}
      <PriceTable place={place} />
      {adding && <CustomProvider place={place} onClose={() => add(false)} />}
    </Page>
  );
}

interface CardProps {
  place: Place;
  provider: ProviderView;
  keys: ProviderConfigView[];
  health?: ProviderHealth;
}

function ProviderCard({ place, provider, keys, health }: CardProps) {
  const [adding, add] = useState(false);
  return (
    <article className="flex min-w-0 flex-col gap-2 rounded-lg border border-line bg-surface p-3">
      <div className="flex flex-wrap items-center gap-2">
        <h3 className="font-semibold">{provider.name}</h3>
        <code className="text-muted">{provider.slug}</code>
        {!provider.enabled && <Badge tone="warn">{t("providers.disabled")}</Badge>}
        {health && <HealthBadge health={health} />}
      </div>
      <div className="flex min-w-0 items-center gap-1">
        <code className="min-w-0 flex-1 truncate text-muted" title={provider.url}>
          {new URL(provider.url).pathname}
        </code>
        <CopyButton text={provider.url} what={t("providers.address")} />
      </div>
      {keys.length > 0 && (
        <ul className="divide-y divide-line border-y border-line">
          {keys.map((key) => (
            <KeyRow key={key.id} place={place} config={key} provider={provider.name} />
          ))}
        </ul>
      )}
      <div className="mt-auto flex flex-wrap items-center gap-2">
        {provider.keyless ? (
          <span className="text-xs text-muted">{t("providers.keyless")}</span>
        ) : (
          <Button size="sm" onClick={() => add(true)} aria-label={t("providers.addTitle", { name: provider.name })}>
            {t("providers.add")}
          </Button>
        )}
        {provider.custom && <DeleteCustom place={place} slug={provider.slug} />}
      </div>
      {adding && <KeyDialog place={place} slug={provider.slug} name={provider.name} others={keys} onClose={() => add(false)} />}
    </article>
  );
}

function HealthBadge({ health }: { health: ProviderHealth }) {
  const [tone, label] = ({ ok: ["ok", "providers.healthOk"], degraded: ["warn", "providers.healthDegraded"], failing: ["bad", "providers.healthFailing"] } as const)[health.state];
  const facts = t("providers.healthFacts", { attempts: exact(health.attempts), errors: exact(health.errors), p50: duration(health.duration_p50) });
  return (
    <Badge tone={tone} title={`${t("providers.health")}: ${facts}`}>
      {t(label)}
    </Badge>
  );
}
