// The gateway's address, and code that uses it.
import { useState } from "react";
import { useCall } from "@/api/query";
import { CopyField, Snippet } from "@/components/Copy";
import { origin } from "@/lib/base";
import { usePlace } from "@/lib/place";
import { t } from "@/messages";
import { Select } from "@/ui/Field";
import { Tabs } from "@/ui/Tabs";
import { Card } from "@/ui/State";
import { known, snippets, type Target } from "./snippets";

/** The gateway's address as this browser reaches it. */
export function gatewayURL(place: { account: string; gateway: string }): string {
  return `${origin}/v1/${encodeURIComponent(place.account)}/${encodeURIComponent(place.gateway)}`;
}

/** Code for each way to call, one tab each. */
export function SnippetTabs({ target }: { target: Target }) {
  const all = snippets(target);
  const [tab, setTab] = useState("curl");
  const now = all.find((s) => s.id === tab) ?? all[0]!;
  return (
    <Tabs label={t("home.ways")} tabs={all.map((s) => ({ value: s.id, label: s.label }))} value={now.id} onChange={setTab}>
      <Snippet code={now.code} what={now.label} mark={now.mark} />
    </Tabs>
  );
}

export function Connect() {
  const place = usePlace();
  const [provider, setProvider] = useState("openai");
  const gateway = useCall("GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}", place).data?.result;
  const url = gatewayURL(place);
  return (
    <Card
      title={t("home.connect")}
      aside={
        <div className="w-32">
          <Select aria-label={t("home.provider")} value={provider} onChange={(e) => setProvider(e.target.value)}>
            {known.map((slug) => (
              <option key={slug}>{slug}</option>
            ))}
          </Select>
        </div>
      }
    >
      <CopyField text={`${url}/${provider}`} what={t("home.baseURL")} className="mb-3" />
      <SnippetTabs target={{ gateway: url, provider, guarded: gateway?.authentication === true }} />
    </Card>
  );
}
