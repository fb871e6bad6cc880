// What was said, whatever the provider's format.
import { useMemo, useState } from "react";
import type { Entry } from "@/api/types.gen";
import { Conversation } from "@/components/Conversation";
import { readConversation } from "@/lib/conversation";
import { bytes } from "@/lib/format";
import { t } from "@/messages";
import { Button } from "@/ui/Button";
import { ErrorPanel, Skeleton } from "@/ui/State";
import { large, stored, useBody, type Spot } from "./body";
import { NotStored } from "./BodyTab";

export function TalkTab({ spot, entry }: { spot: Spot; entry: Entry }) {
  const [asked, ask] = useState(false);
  const size = (entry.request?.stored ?? 0) + (entry.response?.stored ?? 0);
  const wanted = size <= large || asked;
  const has = { request: stored(entry, "request"), response: stored(entry, "response") };
  const request = useBody(spot, "request", wanted && has.request);
  const response = useBody(spot, "response", wanted && has.response);
  const loading = wanted && ((has.request && request.isPending) || (has.response && response.isPending));
  const failed = request.error ?? response.error;
  const talk = useMemo(() => (loading ? undefined : readConversation(request.data, response.data, entry.step ?? 0)), [loading, request.data, response.data, entry.step]);
  if (!wanted) {
    return (
      <div className="flex flex-wrap items-center gap-2 text-muted">
        {t("detail.big", { size: bytes(size) })}
        <Button size="sm" onClick={() => ask(true)}>
          {t("detail.loadAnyway")}
        </Button>
      </div>
    );
  }
  if (loading) return <Skeleton lines={8} />;
  return (
    <div className="flex min-w-0 flex-col gap-2">
      {failed && <ErrorPanel error={failed} onRetry={() => void (request.error ? request : response).refetch()} />}
      {!has.request && <NotStored entry={entry} side="request" />}
      {talk ? <Conversation talk={talk} /> : (has.request || has.response) && !failed && <p className="text-muted">{t("detail.unknownShape")}</p>}
      {!has.response && <NotStored entry={entry} side="response" />}
    </div>
  );
}
