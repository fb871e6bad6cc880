// Prices of models: of the price list, of the configuration file, and one's own.
import { useState } from "react";
import { call } from "@/api/client";
import { useCall } from "@/api/query";
import type { ModelPriceView } from "@/api/types.gen";
import { OriginBadge } from "@/components/Origin";
import { useAction } from "@/lib/action";
import { exact } from "@/lib/format";
import type { Place } from "@/lib/place";
import { toast } from "@/lib/toast";
import { t } from "@/messages";
import { Button } from "@/ui/Button";
import { Field, Input } from "@/ui/Field";
import { Dialog } from "@/ui/Overlay";
import { Card, EmptyState, ErrorPanel, Skeleton, Stale } from "@/ui/State";

const base = "/client/v4/accounts/{account}/ai-gateway/prices";

export function PriceTable({ place }: { place: Place }) {
  const [search, setSearch] = useState("");
  const [setting, set] = useState<Partial<ModelPriceView>>();
  const account = { account: place.account };
  const list = useCall(`GET ${base}/models`, account, { search: search.trim() || undefined, per_page: 20 });
  const facts = useCall(`GET ${base}`, account).data?.result;
  const rows = list.data?.result ?? [];
  return (
    <Card title={t("providers.prices")} aside={<Button size="sm" onClick={() => set({})}>{t("providers.priceSet")}</Button>}>
      <div className="mb-3 flex flex-wrap items-center gap-3">
        <Input type="search" className="max-w-80" aria-label={t("providers.pricesSearch")} placeholder={t("providers.pricesSearch")} value={search} onChange={(e) => setSearch(e.target.value)} />
        {facts && <span className="text-muted">{t("providers.pricesSource", { date: facts.date, n: exact(facts.models) })}</span>}
      </div>
      {list.isPending && <Skeleton lines={5} />}
      {list.isError && <ErrorPanel error={list.error} onRetry={() => void list.refetch()} />}
      {list.data &&
        (rows.length === 0 ? (
          <EmptyState title={t("providers.pricesNone")} action={<Button onClick={() => set({ model: search.trim() })}>{t("providers.priceSet")}</Button>} />
        ) : (
          <Stale stale={list.isPlaceholderData} className="overflow-x-auto">
            <table className="w-full">
              <thead>
                <tr className="border-b border-line text-muted">
                  <th scope="col" className="py-1 pe-4 text-start font-medium">{t("providers.priceModel")}</th>
                  <th scope="col" className="py-1 pe-4 text-end font-medium">{t("providers.priceIn")}</th>
                  <th scope="col" className="py-1 pe-4 text-end font-medium">{t("providers.priceOut")}</th>
                  <th scope="col" className="py-1 text-start font-medium">{t("providers.priceOrigin")}</th>
                  <th scope="col"><span className="sr-only">{t("providers.priceSet")}</span></th>
                </tr>
              </thead>
              <tbody>
                {rows.map((row) => (
                  <tr key={`${row.provider}/${row.model}`} className="border-b border-line last:border-0">
                    <th scope="row" className="py-1.5 pe-4 text-start font-normal break-all">
                      <span className="text-muted">{row.provider}/</span>
                      {row.model}
                    </th>
                    <td className="num py-1.5 pe-4 text-end">{row.usd.input ?? t("shell.unknown")}</td>
                    <td className="num py-1.5 pe-4 text-end">{row.usd.output ?? t("shell.unknown")}</td>
                    <td className="py-1.5 pe-2">
                      <span title={`${row.source} ${row.as_of}`}>
                        <OriginBadge origin={row.origin} />
                      </span>
                    </td>
                    <td className="py-1 text-end">
                      {row.origin !== "file" && (
                        <Button size="sm" look="quiet" onClick={() => set(row)} aria-label={`${t("providers.priceSet")}: ${row.provider}/${row.model}`}>
                          {t("providers.priceSet")}
                        </Button>
                      )}
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Stale>
        ))}
      {setting && <PriceDialog place={place} price={setting} onClose={() => set(undefined)} />}
    </Card>
  );
}

function PriceDialog({ place, price, onClose }: { place: Place; price: Partial<ModelPriceView>; onClose: () => void }) {
  const [provider, setProvider] = useState(price.provider ?? "");
  const [model, setModel] = useState(price.model ?? "");
  const [usd, setUsd] = useState<Record<string, string>>(() => Object.fromEntries(Object.entries({ input: "", output: "", ...price.usd }).map(([k, v]) => [k, String(v)])));
  const action = useAction();
  const where = { account: place.account, provider: provider.trim(), model: model.trim() };
  const save = async () => {
    const given = Object.fromEntries(Object.entries(usd).filter(([, v]) => v.trim() !== ""));
    if (await action.run(() => call(`PUT ${base}/{provider}/{model}`, where, { body: { usd: given } }))) {
      toast(t("providers.priceSaved", { model }), { tone: "ok" });
      onClose();
    }
  };
  const remove = async () => {
    if (await action.run(() => call(`DELETE ${base}/{provider}/{model}`, where))) {
      toast(t("providers.priceRemoved", { model }), { tone: "ok" });
      onClose();
    }
  };
  return (
    <Dialog
      open
      onClose={onClose}
      title={t("providers.priceSetTitle")}
      description={t("providers.priceHelp")}
      actions={
        <>
          {price.origin === "stored" && (
            <Button look="danger" busy={action.busy} onClick={() => void remove()}>
              {t("providers.priceRemove")}
            </Button>
          )}
          <Button onClick={onClose}>{t("shell.cancel")}</Button>
          <Button look="primary" busy={action.busy} disabled={!provider.trim() || !model.trim()} onClick={() => void save()}>
            {t("shell.save")}
          </Button>
        </>
      }
    >
      <form
        className="flex flex-col gap-3"
        onSubmit={(e) => {
          e.preventDefault();
          void save();
        }}
      >
        {action.failure && <ErrorPanel error={action.failure} />}
        <Field label={t("providers.priceProvider")}>{(control) => <Input {...control} readOnly={!!price.provider} value={provider} onChange={(e) => setProvider(e.target.value)} />}</Field>
        <Field label={t("providers.priceModel")}>{(control) => <Input {...control} readOnly={!!price.provider} value={model} onChange={(e) => setModel(e.target.value)} />}</Field>
        <div className="grid grid-cols-2 gap-3">
          {Object.keys(usd).map((name) => (
            <Field key={name} label={name}>
              {(control) => <Input {...control} inputMode="decimal" className="num" value={usd[name]} onChange={(e) => setUsd({ ...usd, [name]: e.target.value })} />}
            </Field>
          ))}
        </div>
      </form>
    </Dialog>
  );
}
