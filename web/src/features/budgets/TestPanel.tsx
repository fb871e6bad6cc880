// What would become of a call, without making one.
import { useState } from "react";
import { call } from "@/api/client";
import type { LimitsVerdict } from "@/api/types.gen";
import { useAction } from "@/lib/action";
import { money } from "@/lib/format";
import type { Place } from "@/lib/place";
import { t } from "@/messages";
import { Button } from "@/ui/Button";
import { Field, Input } from "@/ui/Field";
import { Badge, Card, ErrorPanel } from "@/ui/State";
import { words } from "./rules";

export function TestPanel({ place }: { place: Place }) {
  const [provider, setProvider] = useState("openai");
  const [model, setModel] = useState("");
  const [output, setOutput] = useState("1000");
  const [meta, setMeta] = useState("");
  const [verdict, setVerdict] = useState<LimitsVerdict>();
  const action = useAction();
  const run = () =>
    action.run(async () => {
      const metadata = Object.fromEntries(words(meta).map((pair) => [pair.split("=")[0]!, pair.slice(pair.indexOf("=") + 1)]));
      const body = { provider: provider.trim(), model: model.trim() || undefined, output_tokens: Number(output) || 0, metadata };
      setVerdict(await call("POST /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/limits/test", place, { body }));
    });
  return (
    <Card title={t("budgets.testTitle")}>
      <p className="mb-3 text-muted">{t("budgets.testText")}</p>
      <form
        className="flex flex-col gap-3"
        onSubmit={(e) => {
          e.preventDefault();
          void run();
        }}
      >
        <Field label={t("budgets.testProvider")}>{(control) => <Input {...control} value={provider} onChange={(e) => setProvider(e.target.value)} />}</Field>
        <Field label={t("budgets.testModel")}>{(control) => <Input {...control} value={model} onChange={(e) => setModel(e.target.value)} />}</Field>
        <Field label={t("budgets.testOutput")}>{(control) => <Input {...control} type="number" min={0} value={output} onChange={(e) => setOutput(e.target.value)} />}</Field>
        <Field label={t("budgets.testMeta")}>{(control) => <Input {...control} value={meta} onChange={(e) => setMeta(e.target.value)} />}</Field>
        <Button type="submit" busy={action.busy} disabled={!provider.trim()}>
          {t("budgets.testRun")}
        </Button>
      </form>
      <div role="status" className="mt-3 flex flex-col gap-2">
        {action.failure && <ErrorPanel error={action.failure} />}
        {verdict && (
          <>
            <p>
              <Badge tone={verdict.allowed ? "ok" : "bad"}>{verdict.allowed ? t("budgets.testAllowed") : t("budgets.testRefused", { status: verdict.status })}</Badge>
            </p>
            <p>{verdict.reason}</p>
            {verdict.reserves !== null && <p>{t("budgets.testReserves", { amount: money(verdict.reserves) })}</p>}
            <ul className="flex flex-col gap-1 text-xs text-muted">
              {(verdict.rules ?? []).map((rule) => (
                <li key={rule.id}>{t("budgets.testSays", { id: rule.id, why: rule.why })}</li>
              ))}
            </ul>
          </>
        )}
      </div>
    </Card>
  );
}
