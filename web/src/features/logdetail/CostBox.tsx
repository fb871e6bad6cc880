// How the cost came about: units times price, class by class, and who says what the price is.
import { Link } from "@tanstack/react-router";
import { useCall } from "@/api/query";
import type { Entry, ModelPriceView } from "@/api/types.gen";
import { exact, money } from "@/lib/format";
import { t, type Key } from "@/messages";
import { billed, perMillion } from "./billing";

export function CostBox({ account, entry }: { account: string; entry: Entry }) {
  const model = entry.served_model ?? entry.model ?? "";
  const asked = Boolean(entry.provider && model && entry.usage && entry.usage_basis !== "none");
  const query = useCall("GET /client/v4/accounts/{account}/ai-gateway/prices/{provider}/{model}", { account, provider: entry.provider ?? "", model }, undefined, { enabled: asked, staleTime: 300_000 });
  const price = asked && query.data && query.data.result.provider === entry.provider ? query.data.result : undefined;
  if (!asked && entry.cost == null && !entry.saved) return null;
  return (
    <details className="rounded-lg border border-line bg-surface px-3 py-2">
      <summary className="flex flex-wrap items-baseline gap-x-3">
        <span className="font-medium">{t("detail.cost")}</span>
        <span className="num">{money(entry.cost)}</span>
        <span className="text-xs text-muted">{note(entry, query.error?.status === 404)}</span>
      </summary>
      <div className="mt-2 flex flex-col gap-2">
        {entry.saved && <p>{t("detail.saved", { amount: money(entry.saved.cost) })}</p>}
        {price && <Lines entry={entry} price={price} />}
        {query.error?.status === 404 && (
          <p className="text-muted">
            {t("detail.noPrice", { model: `${entry.provider}/${model}` })}{" "}
            <Link to="/instance/$section" params={{ section: "prices" } as never} search={{ q: model } as never}>
              {t("detail.addPrice")}
            </Link>
          </p>
        )}
      </div>
    </details>
  );
}

function note(entry: Entry, unpriced: boolean): string {
  if (entry.custom_cost) return t("detail.customCost");
  if (entry.saved) return t("detail.saved", { amount: money(entry.saved.cost) });
  if (entry.cost == null) return unpriced ? t("detail.noPriceShort") : t("detail.noUsage");
  return "";
}

function Lines({ entry, price }: { entry: Entry; price: ModelPriceView }) {
  const rows = billed(entry.usage, price.usd);
  return (
    <>
      <div className="overflow-x-auto">
        <table className="num w-full">
          <caption className="sr-only">{t("detail.costTable")}</caption>
          <thead className="text-muted">
            <tr>
              {(["class", "units", "price", "amount"] as const).map((name) => (
                <th key={name} className="px-1 py-0.5 text-end font-normal first:text-start">
                  {t(`detail.cost_${name}`)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.name}>
                <th scope="row" className="px-1 py-0.5 text-start font-normal">
                  {t(`detail.class_${row.name}` as Key)}
                </th>
                <td className="px-1 text-end">{exact(row.units)}</td>
                <td className="px-1 text-end text-muted">{row.price === undefined ? t("shell.unknown") : `${money(row.price)} / ${perMillion(row.name) ? t("detail.million") : t("detail.thousand")}`}</td>
                <td className="px-1 text-end">{money(row.amount)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p className="text-xs text-muted">
        {t("detail.priceFrom", { source: price.source || price.origin, date: price.as_of })}
        {price.tiers?.length ? ` ${t("detail.tiers")}` : ""} {price.times !== "1" ? t("detail.times", { times: price.times }) : ""}
      </p>
    </>
  );
}
